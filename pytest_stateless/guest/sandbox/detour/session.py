"""The state of the detours in this process: none while nothing is sealed."""

from __future__ import annotations

import os
from _thread import get_ident
from typing import TYPE_CHECKING

from pytest_stateless.guest.sandbox.detour.view import descriptor_path

if TYPE_CHECKING:
    from pytest_stateless.guest.sandbox.detour.guard import Guard
    from pytest_stateless.guest.sandbox.detour.quota import Quota
    from pytest_stateless.guest.sandbox.detour.view import View

_DELETED = " (deleted)"


class Session:
    """What detoured functions ask.

    Attributes:
        view: The paths of the app; None while there is nothing to detour.
        kernel: The same paths as the kernel sees them.
        quota: The size of its `/tmp`.
        guard: Knows where this process may write; None while it may everywhere.
        has_hook: Whether the guard's audit hook has been added.
        guards_signals: Whether signals to others' processes are refused.
        passing: Threads that are inside a call whose audit event has a name of the app's view.
    """

    __slots__ = ("guard", "guards_signals", "has_hook", "kernel", "passing", "quota", "view")

    def __init__(self) -> None:
        self.view: View | None = None
        self.kernel: View | None = None
        self.quota: Quota | None = None
        self.guard: Guard | None = None
        self.has_hook = False
        self.guards_signals = False
        self.passing: set[int] = set()

    def locate(
        self,
        path: object,
        folder: int | None = None,
        *,
        follows: bool = True,
        is_counted: bool = False,
    ) -> str | None:
        """Work out where on the host a path of the app is.

        Args:
            path: The argument of a call.
            folder: The descriptor that a relative path starts from.
            follows: Whether a link is followed that the last component is.
            is_counted: Whether what is in `/tmp` is wanted in any case.

        Returns:
            The path to call the function itself with; None where the kernel is led to the same
            place by the argument as it is.
        """
        view, kernel = self.view, self.kernel
        if view is None or kernel is None or isinstance(path, int):
            return None
        text = _text_of(path, folder)
        if not text:
            return None
        canonical = view.canonical(text, follows=follows)
        located = view.located(canonical)
        if canonical.endswith(_DELETED):
            return None
        if is_counted and view.is_tmp(canonical):
            return located
        return None if located == kernel.canonical(text, follows=follows) else located


def _text_of(path: object, folder: int | None) -> str:
    """Read a path argument; empty for what is none, which the call itself will refuse."""
    try:
        text = os.fsdecode(path)  # type: ignore[arg-type]
    except TypeError:
        return ""
    if "\0" in text:
        return ""
    if text and folder is not None and folder != -1 and not text.startswith("/"):
        base = descriptor_path(folder)
        return f"{base}/{text}" if base else ""
    return text


class Passing:
    """A context in which audit events of this thread are not checked: that has been done."""

    __slots__ = ("_ident", "_was_passing")

    def __enter__(self) -> None:
        self._ident = get_ident()
        self._was_passing = self._ident in SESSION.passing
        SESSION.passing.add(self._ident)

    def __exit__(self, *exc: object) -> None:
        if not self._was_passing:
            SESSION.passing.discard(self._ident)


SESSION = Session()
