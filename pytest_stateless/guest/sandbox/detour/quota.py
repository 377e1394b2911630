"""How much an instance has in its private `/tmp`, and how much more fits.

A write costs an addition. Only when that sum (which also counts what has been overwritten or
removed) passes the size is the folder measured, with what programs and C code have put there; or
when one of those has been started.
"""

from __future__ import annotations

import errno
import os
import stat

from pytest_stateless.guest.sandbox.detour import real

PAGE_BYTES = 4096
"""What a tmpfs counts in."""


class Quota:
    """The size of a folder, kept by those who write through us.

    Args:
        folder: Its path on the host.
        size_bytes: What fits.

    Attributes:
        size_bytes: What fits.
        descriptors: Open descriptors, by number, of files that count.
    """

    __slots__ = ("_folder", "_used_bytes", "descriptors", "size_bytes")

    def __init__(self, folder: str, size_bytes: int) -> None:
        self._folder = folder
        self._used_bytes = 0
        self.size_bytes = size_bytes
        self.descriptors: set[int] = set()

    def take(self, descriptor: int, count: int, position: int | None = None) -> int:
        """Ask for room.

        Args:
            descriptor: Of the file that is written.
            count: Bytes that are about to be written.
            position: Where; None for where the descriptor stands.

        Returns:
            How many of them fit, at least one unless none was asked for.

        Raises:
            OSError: There is no room, ENOSPC.
        """
        self._used_bytes += count
        if self._used_bytes <= self.size_bytes:
            return count
        self._used_bytes = self.measure()
        overwritten = count - self._growth(descriptor, count, position)
        room = max(0, self.size_bytes - self._used_bytes) + overwritten
        if count and not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fitting = min(count, room)
        self._used_bytes += max(0, fitting - overwritten)
        return fitting

    def give_back(self, count: int) -> None:
        """Return room that was taken and not used, in bytes."""
        self._used_bytes -= count

    def distrust(self) -> None:
        """Measure before the next write: somebody else may write too."""
        self._used_bytes = max(self._used_bytes, self.size_bytes)

    def free_bytes(self) -> int:
        """Return how many bytes fit at this moment."""
        return max(0, self.size_bytes - self.measure())

    def measure(self) -> int:
        """Add up what is there, in bytes, whole pages for each file."""
        unlinked = 0
        for descriptor in self.descriptors:
            try:
                status = real.fstat(descriptor)
            except OSError:
                continue
            unlinked += 0 if status.st_nlink else _pages(status.st_size)
        return unlinked + _measure_below(self._folder)

    @staticmethod
    def _growth(descriptor: int, count: int, position: int | None) -> int:
        size = real.fstat(descriptor).st_size
        if position is None:
            position = size if _is_appending(descriptor) else real.lseek(descriptor, 0, os.SEEK_CUR)
        return min(count, max(0, position + count - size))


def _is_appending(descriptor: int) -> bool:
    try:
        import fcntl  # noqa: PLC0415 (exists on Unix only)
    except ImportError:
        return False
    return bool(fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_APPEND)


def _measure_below(folder: str) -> int:
    total = 0
    try:
        with real.scandir(folder) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    total += _measure_below(entry.path)
                elif stat.S_ISREG(status.st_mode):
                    total += _pages(status.st_size)
    except OSError:  # it has gone meanwhile, or is closed to us
        return total
    return total


def _pages(size: int) -> int:
    return -(-size // PAGE_BYTES) * PAGE_BYTES
