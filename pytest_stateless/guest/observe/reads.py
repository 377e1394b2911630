"""Which data files were read: what a rewritten file must be, to count as a database."""

from __future__ import annotations

import os
import sys

from pytest_stateless.guest.observe.origins import STDLIB
from pytest_stateless.guest.observe.paths import is_regular, text_of

MAX_READS = 1000
CODE = (".py", ".pyc", ".pyi", ".so")
"""Ends of names that the import system opens."""
_SYSTEM = ("/proc/", "/sys/", "/dev/", "/usr/", "/etc/")


class ReadLog:
    """Collects the names of data files opened for reading; they are looked at when drained.

    Args:
        ignored: Absolute folders whose files do not count, such as service paths.
    """

    __slots__ = ("_ignored", "_seen")

    def __init__(self, ignored: tuple[str, ...]) -> None:
        installed = {sys.prefix, sys.base_prefix, sys.exec_prefix} - {"/", "/usr"}
        folders = (folder.rstrip("/") + "/" for folder in (*installed, *ignored))
        self._ignored = (*_SYSTEM, STDLIB, *folders)
        self._seen: set[str] = set()

    def opened(self, target: object) -> None:
        """Take down a file opened for reading.

        Args:
            target: The path as the call gave it.
        """
        if isinstance(target, int) or len(self._seen) >= MAX_READS:
            return
        text = text_of(target)
        if not text or text.endswith(CODE) or text.startswith(self._ignored):
            return
        path = os.path.abspath(text)
        if not self._is_ignored(path):
            self._seen.add(path)

    def drain(self) -> tuple[str, ...]:
        """Forget what was seen.

        Returns:
            Real paths of the regular files among it, sorted.
        """
        seen, self._seen = self._seen, set()
        real = {os.path.realpath(path) for path in seen}
        return tuple(sorted(p for p in real if not self._is_ignored(p) and is_regular(p)))

    def _is_ignored(self, path: str) -> bool:
        return path.startswith(self._ignored) or "-packages/" in path
