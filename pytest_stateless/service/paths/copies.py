"""Copies of files and folders: by reflink where the filesystem can, else byte by byte.

Links are copied as links. A socket or a pipe is copied as one that nobody listens at.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from typing import TYPE_CHECKING

from pytest_stateless.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

FICLONE = 0x40049409
"""The ioctl that lets one file share another's blocks until one of the two is written.

Source: linux/fs.h; ioctl_ficlonerange(2).
"""
_OWNER_ALL = 0o700


def copy(source: str, target: str, skips: Callable[[str], bool] = lambda _: False) -> None:
    """Copy a file, a link, or a folder with all that it contains.

    Args:
        source: What is there.
        target: Where nothing is.
        skips: Tells of a path below the source that it is left out.

    Raises:
        ServiceError: There is a device, which cannot be copied.
        OSError: Something cannot be read or made.
    """
    kind = stat.S_IFMT(os.lstat(source).st_mode)
    if kind == stat.S_IFREG:
        fill(source, os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    elif kind == stat.S_IFDIR:
        os.mkdir(target, _OWNER_ALL)
        with os.scandir(source) as entries:
            for entry in entries:
                if not skips(entry.path):
                    copy(entry.path, os.path.join(target, entry.name), skips)
    elif kind == stat.S_IFLNK:
        os.symlink(os.readlink(source), target)
    elif kind in {stat.S_IFIFO, stat.S_IFSOCK}:
        os.mknod(target, kind | 0o600)
    else:
        raise ServiceError(
            f"{source} is a device, which cannot be remembered; keep it out of service paths"
        )
    copy_status(source, target)


def fill(source: str, descriptor: int) -> None:
    """Give a file the content of another one, whatever it has, without making it anew.

    Args:
        source: The other one.
        descriptor: Of the file, open for writing; it is closed.

    Raises:
        OSError: It cannot be read or written.
    """
    with open(descriptor, "wb", buffering=0) as target, open(source, "rb", buffering=0) as origin:
        # another filesystem, one that cannot, or Windows
        with contextlib.suppress(OSError, ImportError):
            import fcntl  # noqa: PLC0415 (exists on Unix only)

            fcntl.ioctl(target, FICLONE, origin.fileno())
            os.ftruncate(descriptor, os.fstat(origin.fileno()).st_size)
            return
        shutil.copyfileobj(origin, target, 1 << 20)
        target.truncate()


def copy_status(source: str, target: str) -> None:
    """Give a path the owner, permissions and times of another one.

    Args:
        source: The other one.
        target: The path.

    Raises:
        OSError: It belongs to somebody else.
    """
    wanted, found = os.lstat(source), os.lstat(target)
    if (wanted.st_uid, wanted.st_gid) != (found.st_uid, found.st_gid):
        with contextlib.suppress(PermissionError):  # an ordinary user keeps what is made
            os.chown(target, wanted.st_uid, wanted.st_gid, follow_symlinks=False)
    shutil.copystat(source, target, follow_symlinks=False)


def remove(path: str) -> None:
    """Remove a file, a link, or a folder with all that it contains, whatever their permissions.

    Args:
        path: What is there.

    Raises:
        OSError: It cannot be removed.
    """
    if not stat.S_ISDIR(os.lstat(path).st_mode):
        os.unlink(path)
        return
    open_up(path)
    for name in os.listdir(path):
        remove(os.path.join(path, name))
    os.rmdir(path)


def open_up(path: str) -> None:
    """Let its owner do everything with a file or a folder.

    Args:
        path: Not a link.

    Raises:
        OSError: It belongs to somebody else.
    """
    mode = stat.S_IMODE(os.lstat(path).st_mode)
    if mode & _OWNER_ALL != _OWNER_ALL:
        os.chmod(path, mode | _OWNER_ALL)
