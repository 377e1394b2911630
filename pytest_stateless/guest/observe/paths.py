"""Paths as the kernel sees them: what an argument means, and whether it can be written.

A name is resolved as the kernel does it for an operation on the name itself: the folder's
symbolic links are followed, the last component's are not.
"""

from __future__ import annotations

import os
import stat

AT_CWD = -1
"""What an audit event says where no directory descriptor was given."""


def text_of(path: object) -> str | None:
    """Read a path argument.

    Args:
        path: Text, bytes, a path object, or a descriptor.

    Returns:
        The path as text, or None where it names nothing in the filesystem.
    """
    if isinstance(path, int):
        return descriptor_path(path)
    if isinstance(path, (str, bytes, os.PathLike)):
        return os.fsdecode(path)
    return None


def descriptor_path(descriptor: int) -> str | None:
    """Return the path that a descriptor was opened with; None for pipes, sockets and the like."""
    try:
        target = os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return None
    return target if target.startswith("/") else None


def resolve(path: object, dir_fd: int = AT_CWD) -> str | None:
    """Make a path argument absolute, links in its folder followed.

    Args:
        path: The argument of a call.
        dir_fd: The descriptor of the folder that a relative path starts from.

    Returns:
        The absolute path, or None where it cannot be known.
    """
    text = text_of(path)
    if not text:
        return None
    if dir_fd != AT_CWD and not text.startswith("/"):
        base = descriptor_path(dir_fd)
        if base is None:
            return None
        text = os.path.join(base, text)
    folder, name = os.path.split(text.rstrip("/") or "/")
    if name in {"", ".", ".."}:
        return os.path.realpath(text)
    return os.path.join(os.path.realpath(folder or "."), name)


def is_read_only(path: str) -> bool:
    """Ask the kernel whether an existing path lies on a read-only filesystem; not on Windows.

    Args:
        path: A file or a folder.

    Returns:
        False too where the path does not exist.
    """
    if not hasattr(os, "statvfs"):
        return False
    try:
        return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def is_ordinary(path: str) -> bool:
    """Tell whether a path belongs to a filesystem of files, not to the kernel's own."""
    if path.startswith("/dev/"):
        return path.startswith("/dev/shm/")
    return not path.startswith(("/proc/", "/sys/")) and "/__pycache__" not in path


def mode_of(path: str) -> int | None:
    """Return the type and permission bits of what a path leads to; None if it does not exist."""
    try:
        return os.stat(path).st_mode
    except OSError:
        return None


def is_regular(path: str) -> bool:
    """Tell whether a path leads to a regular file."""
    mode = mode_of(path)
    return mode is not None and stat.S_ISREG(mode)
