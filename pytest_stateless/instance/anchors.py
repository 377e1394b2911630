"""Telling whether a path still names the folder that it named before.

An instance that was sealed ahead shows its writable folders as they were then. One that has been
removed and made again meanwhile, as fixtures do, is another folder, if often with the same inode
number; not so while the old one is held open.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Anchors:
    """Folders that are held open; to be closed.

    Args:
        paths: Their paths; one that does not exist is never the same later.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._held: dict[str, int] = {}
        self._are_all_there = True
        for path in paths:
            try:
                self._held[path] = os.open(path, os.O_PATH | os.O_DIRECTORY)
            except OSError:
                self._are_all_there = False

    def are_same(self) -> bool:
        """Tell whether every path names the folder that is held."""
        return self._are_all_there and all(
            _is_same(path, descriptor) for path, descriptor in self._held.items()
        )

    def close(self) -> None:
        """Let go of them."""
        for descriptor in self._held.values():
            os.close(descriptor)
        self._held.clear()


def _is_same(path: str, descriptor: int) -> bool:
    try:
        return os.path.samestat(Path(path).stat(), os.fstat(descriptor))
    except OSError:
        return False
