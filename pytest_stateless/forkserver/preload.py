"""Importing third-party modules in the zygote, and only those that leave no trace there."""

from __future__ import annotations

import importlib
import os
import sys
import threading
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_stateless.guest.effects import EffectWatch
    from pytest_stateless.guest.imports import FirstPartyFinder
    from pytest_stateless.wire.control import Preload


def preload(
    order: Preload, finder: FirstPartyFinder, effects: EffectWatch
) -> tuple[tuple[str, str], ...]:
    """Import modules ahead.

    A module that cannot be imported without the app, or that asked for a first-party module, or
    that wrote a file or started something, is dropped together with what it imported: an instance
    imports it itself.

    Args:
        order: What to import and what to refuse.
        finder: The zygote's import finder.
        effects: The zygote's watch over what imports do.

    Returns:
        Name and reason of each module that was dropped.
    """
    os.environ.clear()
    os.environ.update(order.environ)
    sys.path[:] = order.sys_path
    finder.first_party = order.first_party
    finder.refused |= frozenset(order.refused)
    finder.cache.add(order.sources)
    dropped: list[tuple[str, str]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in order.modules:
            if name not in sys.modules and name not in finder.refused:
                reason = _import(name, finder, effects)
                if reason:
                    dropped.append((name, reason))
    return tuple(dropped)


def _import(name: str, finder: FirstPartyFinder, effects: EffectWatch) -> str:
    before = frozenset(sys.modules)
    finder.refusals.clear()
    effects.blamed.clear()
    effects.is_on = True
    reason = ""
    try:
        importlib.import_module(name)
    except BaseException as error:  # noqa: BLE001 (a module may raise anything, SystemExit too)
        reason = f"{type(error).__name__}: {error}"
    effects.is_on = False
    if finder.refusals:
        reason = f"it imports {finder.refusals[0]}, which is imported in instances only"
    elif effects.blamed:
        reason = f"{next(iter(effects.blamed))} writes files or starts processes at import"
    elif threading.active_count() > 1:
        reason = "it starts a thread"
    if reason:
        _forget(before)
    return reason


def _forget(before: frozenset[str]) -> None:
    """Remove every module that was not there before, also from its parent's attributes."""
    for name in [name for name in sys.modules if name not in before]:
        module = sys.modules.pop(name)
        parent, _, child = name.rpartition(".")
        if parent in sys.modules and getattr(sys.modules[parent], child, None) is module:
            delattr(sys.modules[parent], child)
