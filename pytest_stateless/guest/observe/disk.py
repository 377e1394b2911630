"""The instance's own disk: which paths are on it, and whether a change of one came true.

An audit event says what is attempted, before the system call. Where nothing is refused no
exception follows, so what has become of it is seen by looking at the file, before and after.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from pytest_stateless.guest.mounts import read_mounts
from pytest_stateless.wire.control import DISK_NAME

_TICK_NS = 20_000_000
"""Longer than what a kernel's clock for files stands still, which is a jiffy of up to 10 ms."""


class OwnDisk:
    """The overlays that this process may write; they are found when this is made."""

    __slots__ = ("_devices",)

    def __init__(self) -> None:
        points = (mount.point for mount in read_mounts() if mount.source == DISK_NAME)
        self._devices = frozenset(os.stat(point).st_dev for point in points)

    def has(self, path: str) -> bool:
        """Tell whether a path is on the disk; what is to be made is where its folder is."""
        folder = path if os.path.isdir(path) else os.path.dirname(os.path.realpath(path))
        try:
            return os.stat(folder).st_dev in self._devices
        except OSError:
            return False

    def takes(self, path: str) -> bool:
        """Tell whether an existing file or folder is on the disk, and may be changed."""
        return self.has(path) and os.access(path, os.W_OK)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileState:
    """A file at one moment, as far as a change would show.

    Attributes:
        mtime_ns: When it was changed last, in nanoseconds since the epoch; 0 where it was not.
        size_bytes: Its size; -1 where it did not exist.
        seen_ns: When it was looked at.
    """

    mtime_ns: int
    size_bytes: int
    seen_ns: int

    @property
    def is_there(self) -> bool:
        """Whether there was such a file."""
        return self.size_bytes >= 0


def look_at(path: str) -> FileState:
    """Look at a file.

    Args:
        path: Absolute.

    Returns:
        Its state.
    """
    now = time.time_ns()
    try:
        status = os.stat(path)
    except OSError:
        return FileState(mtime_ns=0, size_bytes=-1, seen_ns=now)
    return FileState(mtime_ns=status.st_mtime_ns, size_bytes=status.st_size, seen_ns=now)


def has_changed(before: FileState, after: FileState) -> bool:
    """Tell whether a file was changed between two looks.

    Args:
        before: The first look.
        after: The second.

    Returns:
        False too where it was made and removed again in between. True where it was changed so
        shortly before the first look that another change would have left the same time.
    """
    if (before.mtime_ns, before.size_bytes) != (after.mtime_ns, after.size_bytes):
        return True
    return after.is_there and before.seen_ns - before.mtime_ns < _TICK_NS
