"""Learning what an app imports, so that the zygote can import it ahead.

Runs in a throw-away instance. A module that writes files, or starts threads or processes, while
it is imported is named too.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

from pytest_stateless.guest.effects import EffectWatch
from pytest_stateless.wire.messages import Learnt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_stateless.model.first_party import FirstParty


class Learner:
    """Watches one import of an app.

    Args:
        first_party: What the zygote must never import.
        asked: Names of modules in the order in which their imports began; grows meanwhile.
    """

    def __init__(self, first_party: FirstParty, asked: Mapping[str, None]) -> None:
        self._first_party = first_party
        self._asked = asked
        self._count = len(sys.modules)
        self._effects = EffectWatch()
        self._watch_threads()

    def _watch_threads(self) -> None:
        # CPython 3.11 has no audit event for a thread's start
        start = threading.Thread.start

        def watched(thread: threading.Thread) -> None:
            self._effects.blame(sys._getframe(1))  # noqa: SLF001 (as documented)
            start(thread)

        setattr(threading.Thread, "start", watched)  # noqa: B010 (mypy takes no assignment)

    def finish(self) -> Learnt:
        """Tell what has been imported since the learner was made.

        Returns:
            The message for the host.
        """
        modules, sources = imported_since(self._count, self._first_party, self._asked)
        refused = tuple(name for name in self._effects.blamed if name in modules)
        return Learnt(modules=modules, refused=refused, sources=sources)


def imported_since(
    count: int, first_party: FirstParty, asked: Mapping[str, None]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """List what has been imported meanwhile.

    Args:
        count: How many modules there were.
        first_party: What is the user's own.
        asked: Names of modules in the order in which their imports began.

    Returns:
        Names of the others' modules in that order, and the user's source files.
    """
    modules: list[str] = []
    sources: list[str] = []
    for name, module in list(sys.modules.items())[count:]:
        spec = getattr(module, "__spec__", None)
        origin = getattr(spec, "origin", None)
        path = origin if isinstance(origin, str) else ""
        if first_party.owns_module(name) or first_party.owns_file(path):
            if path.endswith(".py"):
                sources.append(path)
        elif spec is not None:
            modules.append(name)
    began = {name: position for position, name in enumerate(asked)}
    modules.sort(key=lambda name: began.get(name, len(began)))
    return tuple(modules), tuple(sources)
