"""Noticing patches of the user's own modules that an instance does not have.

An instance that imports the app anew has what its source says. `monkeypatch.setattr` on a module of
the app changes this process only, and a test that relies on it would silently test something else.
"""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_stateless.errors import StatelessWarning

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_stateless.session.platform import Platform

_MISSING = object()
_ADVICE = (
    "has no effect on instances, which import the app anew; give the test "
    "@pytest.mark.stateless(start='snapshot') or stateless.use(app), whose instances are forks of "
    "this process, or patch in a function that stateless_setup names"
)


@dataclass(frozen=True, slots=True, eq=False)
class _Patch:
    """One call of `monkeypatch.setattr`.

    Attributes:
        target: What was patched.
        name: The attribute.
        path: Of the file that called.
        line: 1-based, there.
    """

    target: object
    name: str
    path: str
    line: int

    @property
    def module(self) -> str:
        """Name of the module that the target is or belongs to."""
        if isinstance(self.target, ModuleType):
            return self.target.__name__
        owner = self.target if isinstance(self.target, type) else type(self.target)
        return owner.__module__

    @property
    def shown(self) -> str:
        """The target as a reader knows it."""
        name = getattr(self.target, "__qualname__", "")
        if isinstance(self.target, ModuleType):
            return self.module
        return f"{self.module}.{name}" if name else f"an object of {self.module}"


class PatchWatch:
    """Remembers what `monkeypatch` has patched, while the fixture lives."""

    def __init__(self) -> None:
        self._patches: list[tuple[_Patch, object]] = []
        self._told: set[tuple[str, int]] = set()
        self._original: Callable[..., None] = pytest.MonkeyPatch.setattr

    def install(self) -> None:
        """Listen to `pytest.MonkeyPatch.setattr`."""
        original, note = self._original, self._note

        def setattr_and_note(self: pytest.MonkeyPatch, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
            __tracebackhide__ = True
            original(self, *args, **kwargs)
            note(args, kwargs)

        setattr_and_note.__doc__ = original.__doc__
        pytest.MonkeyPatch.setattr = setattr_and_note  # type: ignore[method-assign]

    def remove(self) -> None:
        """Listen no more."""
        pytest.MonkeyPatch.setattr = self._original  # type: ignore[method-assign]

    def _note(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        target, name = args[0] if args else kwargs.get("target"), ""
        if isinstance(target, str):
            path, _, name = target.rpartition(".")
            target = _find(path)
        else:
            name = args[1] if len(args) > 1 else kwargs.get("name", "")
        caller = sys._getframe(2)  # noqa: SLF001 (the documented way)
        if target is not None:
            patch = _Patch(target, name, caller.f_code.co_filename, caller.f_lineno)
            self._patches.append((patch, getattr(target, name, _MISSING)))

    def forget(self) -> None:
        """Forget the patches that have been undone."""
        self._patches = [(one, value) for one, value in self._patches if _is_active(one, value)]

    def warn(self, platform: Platform) -> None:
        """Warn of patches that an instance which imports the app will not have, once each.

        Args:
            platform: Knows what is first-party.

        Raises:
            StatelessWarning: The filters turn it into an error.
        """
        self.forget()
        for patch, _ in self._patches:
            module = sys.modules.get(patch.module)
            path = getattr(module, "__file__", None) or ""
            boundary = platform.boundary
            is_own = boundary.owns_module(patch.module) or boundary.owns_file(path)
            if is_own and (patch.path, patch.line) not in self._told:
                self._told.add((patch.path, patch.line))
                warnings.warn_explicit(
                    f"monkeypatch.setattr of {patch.shown}, {patch.name!r} {_ADVICE}",
                    StatelessWarning,
                    patch.path,
                    patch.line,
                )


def _is_active(patch: _Patch, value: object) -> bool:
    return getattr(patch.target, patch.name, _MISSING) is value


def _find(path: str) -> object:
    """Find what a dotted path names, among what has been imported."""
    parts = path.split(".")
    for count in range(len(parts), 0, -1):
        found: object = sys.modules.get(".".join(parts[:count]))
        if found is not None:
            for part in parts[count:]:
                found = getattr(found, part, None)
            return found
    return None
