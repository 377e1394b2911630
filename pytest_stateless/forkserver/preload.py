"""Importing third-party modules in the zygote, and only those that leave no trace there."""

from __future__ import annotations

import importlib
import os
import sys
import threading
import warnings
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from pytest_stateless.guest.effects import EffectWatch
    from pytest_stateless.guest.imports import FirstPartyFinder
    from pytest_stateless.wire.control import Preload


def preload(
    order: Preload, finder: FirstPartyFinder, effects: EffectWatch
) -> tuple[tuple[str, str], ...]:
    """Import modules ahead.

    A module that cannot be imported without the app, or that asked for a first-party module, or
    that wrote a file or started something, is dropped together with what it imported from then
    on: an instance imports it itself. What was complete by then is kept. It has no part in it,
    and some modules cannot be imported a second time in a process, numpy for one.

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


class _Trial:
    """One import: what was complete when it first did what the zygote cannot keep."""

    def __init__(self) -> None:
        self.before = frozenset(sys.modules)
        self._complete: frozenset[str] = frozenset()
        self._spoilt: frozenset[str] = frozenset()

    def spoil(self, failed: Iterable[str] = ()) -> None:
        """Note what is complete and what is not, unless that has been noted before.

        Args:
            failed: Modules that an exception has removed already.
        """
        if not self._spoilt:
            names = frozenset(sys.modules) - self.before
            self._complete = frozenset(filter(_is_complete, names))
            self._spoilt = (names - self._complete) | frozenset(failed)

    def undo(self) -> None:
        """Remove what the import brought and must not stay, also from parents' attributes."""
        for name in self._find_gone() & sys.modules.keys():
            module = sys.modules.pop(name)
            parent, _, child = name.rpartition(".")
            if parent in sys.modules and getattr(sys.modules[parent], child, None) is module:
                delattr(sys.modules[parent], child)

    def _find_gone(self) -> set[str]:
        new = sys.modules.keys() - self.before
        if threading.active_count() > 1:
            return new
        gone = (new - self._complete) | self._spoilt
        # neither what has no parent any more, nor what has taken something from what goes
        while more := {name for name in new - gone if _depends_on(name, gone)}:
            gone |= more
        return gone


def _is_complete(name: str) -> bool:
    spec = getattr(sys.modules.get(name), "__spec__", None)
    return not getattr(spec, "_initializing", False)


def _depends_on(name: str, gone: set[str]) -> bool:
    values = getattr(sys.modules[name], "__dict__", {}).values()
    return name.rpartition(".")[0] in gone or any(_origin(value) in gone for value in values)


def _origin(value: object) -> str:
    """Return the name of the module that a value is or comes from, empty if it does not tell."""
    # by its type: a lazy object, such as Django's settings, is not to be asked for anything
    kind = type(value)
    if issubclass(kind, ModuleType):
        return str(vars(value).get("__name__", ""))
    if issubclass(kind, (type, FunctionType)):
        return str(getattr(value, "__module__", ""))
    return ""


def _modules_in(traceback: TracebackType | None) -> Iterator[str]:
    """Find the modules whose import an exception has ended."""
    while traceback is not None:
        if traceback.tb_frame.f_code.co_name == "<module>":
            yield str(traceback.tb_frame.f_globals.get("__name__"))
        traceback = traceback.tb_next


def _import(name: str, finder: FirstPartyFinder, effects: EffectWatch) -> str:
    trial = _Trial()
    finder.refusals.clear()
    effects.blamed.clear()
    finder.on_refusal = effects.on_blame = trial.spoil
    effects.is_on = True
    reason = ""
    try:
        importlib.import_module(name)
    except BaseException as error:  # noqa: BLE001 (a module may raise anything, SystemExit too)
        reason = f"{type(error).__name__}: {error}"
        trial.spoil(_modules_in(error.__traceback__))
    effects.is_on = False
    if finder.refusals:
        reason = f"it imports {finder.refusals[0]}, which is imported in instances only"
    elif effects.blamed:
        reason = f"{next(iter(effects.blamed))} writes files or starts processes at import"
    elif threading.active_count() > 1:
        reason = "it starts a thread"
    if reason:
        trial.undo()
    return reason
