"""What a fork of the test process does before anything else runs in it.

Libraries may start a thread in a forked process (`os.register_at_fork`), and a process with two
threads cannot leave its namespaces. The hook of whoever registers first runs first, so this one is
registered when the plugin is loaded. It does nothing in forks that are not ours.

Imports next to nothing, because pytest loads it in every run.

Source: https://docs.python.org/3/library/os.html#os.register_at_fork; `unshare(2)` on EINVAL.
"""

from __future__ import annotations

import os
from _thread import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class _Hook:
    """What is to be run in the child of the next fork, and what was known before any."""

    __slots__ = ("first", "is_registered", "session_files")

    def __init__(self) -> None:
        self.first: dict[int, Callable[[], None]] = {}
        """By thread: another one may fork at the same time, for itself."""
        self.is_registered = False
        self.session_files: frozenset[tuple[int, int]] = frozenset()
        """Device and inode of what the session's own output goes to, if that is files."""


_HOOK = _Hook()


def register() -> None:
    """Listen to forks of this process from now on, where there are any."""
    if not _HOOK.is_registered and hasattr(os, "register_at_fork"):
        _HOOK.is_registered = True
        _HOOK.session_files = frozenset(_identities(0, 1, 2))
        os.register_at_fork(after_in_child=_run)


def _identities(*descriptors: int) -> Iterator[tuple[int, int]]:
    for descriptor in descriptors:
        try:
            status = os.fstat(descriptor)
        except OSError:
            continue
        yield status.st_dev, status.st_ino


def session_files() -> frozenset[tuple[int, int]]:
    """Return device and inode of what this process's standard streams were at `register`."""
    return _HOOK.session_files


def _run() -> None:
    first = _HOOK.first.pop(get_ident(), None)
    _HOOK.first.clear()
    if first is not None:
        first()


def fork(first: Callable[[], None]) -> int:
    """Fork this process.

    Args:
        first: What the child runs before the hooks of others; it must not raise.

    Returns:
        0 in the child, its process id in the parent.

    Raises:
        OSError: There can be no more processes.
    """
    register()
    _HOOK.first[get_ident()] = first
    try:
        return os.fork()
    finally:
        _HOOK.first.pop(get_ident(), None)
