"""Inherited descriptors: none may lead past the seal.

A fork of the test process has its open files and folders. They belong to mounts that are still
writable: a log file would be written on, and below an open folder every file could be. So each is
opened again where this process is now, on read-only mounts; what lies in a service path is left.

Source: "Opening a magic link" in proc_pid_fd(5): the link leads to the mount that the file was
opened on.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_DELETED = " (deleted)"
_COPIED_BYTES = 1 << 24
"""Of a file without a name; what is longer is empty in the fork."""


def close_all_but(keep: Iterable[int]) -> None:
    """Close every descriptor of this process, but those.

    Args:
        keep: What stays open, beside the three standard streams.
    """
    following = 3
    for descriptor in sorted({*keep, os.sysconf("SC_OPEN_MAX")}):
        os.closerange(following, descriptor)
        following = max(following, descriptor + 1)


def reopen(
    writable: Iterable[str], untold: frozenset[tuple[int, int]] = frozenset()
) -> tuple[str, ...]:
    """Open every inherited file and folder again, for reading only.

    To be called when the mounts are read-only.

    Args:
        writable: Absolute folders of service paths; what is open there stays as it is.
        untold: Device and inode of files that everybody knows of.

    Returns:
        The paths of files that could be written, sorted.

    Raises:
        OSError: A file cannot be opened again.
    """
    folders = tuple(f"{folder}/" for folder in writable)
    found: set[str] = set()
    for name in os.listdir("/proc/self/fd"):
        descriptor = int(name)
        try:
            path = os.readlink(f"/proc/self/fd/{name}")
            mode = os.fstat(descriptor).st_mode
        except OSError as error:
            if error.errno in {errno.EBADF, errno.ENOENT}:
                continue  # that of the listing itself
            raise
        is_file = stat.S_ISREG(mode)
        if not (is_file or stat.S_ISDIR(mode)) or f"{path}/".startswith(folders):
            continue
        if is_file and _is_writable(descriptor) and not path.endswith(_DELETED):
            status = os.fstat(descriptor)
            if (status.st_dev, status.st_ino) not in untold:
                found.add(path)
        _replace(descriptor, path)
    return tuple(sorted(found))


def _is_writable(descriptor: int) -> bool:
    import fcntl  # noqa: PLC0415 (exists on Unix only)

    return fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY


def _replace(descriptor: int, path: str) -> None:
    """Put the same file, opened by its name, or what it holds, in a descriptor's place."""
    status = os.fstat(descriptor)
    kind = os.O_DIRECTORY if stat.S_ISDIR(status.st_mode) else 0
    try:
        new = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | kind)
    except OSError:
        new = -1
    if new >= 0 and not os.path.samestat(os.fstat(new), status):
        os.close(new)
        new = -1
    if new < 0:
        new = _copy(descriptor, status.st_size) if not kind else os.open("/", os.O_RDONLY | kind)
    try:
        if not kind:
            os.lseek(new, os.lseek(descriptor, 0, os.SEEK_CUR), os.SEEK_SET)
        os.dup2(new, descriptor, inheritable=os.get_inheritable(descriptor))
    finally:
        os.close(new)


def _copy(descriptor: int, size_bytes: int) -> int:
    """Copy a file that has no name any more, such as a temporary one, into memory."""
    new = os.memfd_create("copy", os.MFD_CLOEXEC)
    try:
        if size_bytes <= _COPIED_BYTES:
            os.write(new, os.pread(descriptor, size_bytes, 0))
    except OSError:  # it cannot be read
        pass
    return new
