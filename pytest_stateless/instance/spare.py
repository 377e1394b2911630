"""A spare instance: made ahead of the request that will need it, and told what it will become.

What the request then finds to be different, variables of the environment mostly, is told with the
order to start.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_stateless.instance.anchors import Anchors
from pytest_stateless.instance.handle import InstanceHandle
from pytest_stateless.instance.recipe import Recipe

if TYPE_CHECKING:
    from pytest_stateless.forkserver.handle import ZygoteHandle
    from pytest_stateless.wire.messages import Begin, Start


@dataclass(frozen=True, slots=True, kw_only=True)
class Spare:
    """An instance that is ready for a request to come, and what it is ready for.

    Attributes:
        recipe: How it was made.
        handle: Its handle.
        anchors: The writable folders that it shows.
    """

    recipe: Recipe
    handle: InstanceHandle
    anchors: Anchors

    def fits(self, recipe: Recipe, zygote: ZygoteHandle) -> bool:
        """Tell whether it can serve now.

        Args:
            recipe: What is wanted.
            zygote: The one that runs now.
        """  # noqa: DOC201 (the summary says it)
        is_alike = self.recipe == recipe and self.handle.parent is zygote
        return is_alike and self.anchors.are_same() and not self.handle.has_ended()


def is_alike(begun: Begin | None, begin: Begin) -> bool:
    """Tell whether an instance has become what it shall, but for variables.

    Args:
        begun: What it has been told to become, if anything.
        begin: What it shall become.
    """  # noqa: DOC201 (the summary says it)
    return begun is not None and dataclasses.replace(begun, environ=begin.environ) == begin


def changes_since(begun: Begin | None, begin: Begin, start: Start) -> Start:
    """Add what variables have changed since an instance was told of them.

    Args:
        begun: What it has been told to become.
        begin: What it shall become.
        start: What else it is told.

    Returns:
        The order to start.
    """
    known = begun.environ if begun is not None else {}
    changed = {name: value for name, value in begin.environ.items() if known.get(name) != value}
    removed = tuple(known.keys() - begin.environ.keys())
    return dataclasses.replace(start, changed=changed, removed=removed)
