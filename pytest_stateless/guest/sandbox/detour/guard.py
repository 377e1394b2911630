"""Refusing writes of Python code before they happen, as a read-only disk would.

An audit hook sees every call of the interpreter that can change the filesystem, whoever makes it,
before the system call; raising there stops it. What the kernel would answer anyway (a folder that
exists already, one that does not exist, a file that another user keeps closed) is left to the
kernel, so that an app is told what the platform would tell it.

An audit hook that records must have been added before: hooks are asked in their order, and this
one ends the call.

Source: https://peps.python.org/pep-0578/, https://docs.python.org/3/library/audit_events.html;
fs/namei.c and fs/open.c of Linux for what is looked at first.
"""

from __future__ import annotations

import errno
import os
import stat
from _thread import get_ident
from typing import TYPE_CHECKING, NoReturn

from pytest_stateless.guest.sandbox.detour import real
from pytest_stateless.guest.sandbox.detour.session import SESSION
from pytest_stateless.guest.sandbox.detour.signals import check_signal
from pytest_stateless.guest.sandbox.detour.sqlite import check_database
from pytest_stateless.guest.sandbox.detour.view import View, descriptor_path, exists, is_within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_TMPFILE = getattr(os, "O_TMPFILE", 0) & ~getattr(os, "O_DIRECTORY", 0)
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_NO_DESCRIPTOR = -1
_FILE_IOCTLS = frozenset({0x40086602, 0x40046602, 0x40087602, 0x401C5820, 0xC0185879})
"""FS_IOC_SETFLAGS (of 64 and of 32 bits), FS_IOC_SETVERSION, FS_IOC_FSSETXATTR and FITRIM of
ioctl(2): what changes a file by a descriptor that only reads."""
_IOCTL_MASK = 0xFFFFFFFF


class Guard:
    """Knows where this process may write.

    Args:
        writable: Folders, absolute and without links.
        devices: Files that may be written too.
    """

    __slots__ = ("_devices", "_kernel", "writable")

    def __init__(self, writable: Iterable[str], devices: Iterable[str]) -> None:
        self.writable = tuple(writable)
        self._devices = frozenset(devices)
        self._kernel = View()

    def kernel_path(self, path: object, folder: int | None = None, *, follows: bool = True) -> str:
        """Work out where the kernel is led by the argument of a call.

        Args:
            path: Text, bytes, a path object or a descriptor.
            folder: The descriptor that a relative path starts from.
            follows: Whether a link is followed that the last component is.

        Returns:
            An absolute path; empty for what is none, such as a pipe.
        """
        if isinstance(path, int):
            return descriptor_path(path)
        text = os.fsdecode(path)  # type: ignore[arg-type] # what is no path raises, as in the call
        if not text:
            return ""
        if folder is not None and folder != _NO_DESCRIPTOR and not text.startswith("/"):
            text = f"{descriptor_path(folder)}/{text}"
        return self._kernel.canonical(text, follows=follows)

    def home_of(self, path: str) -> str:
        """Return the writable folder that a path is in; empty for none."""
        return next((folder for folder in self.writable if is_within(path, (folder,))), "")

    def is_read_only(self, path: str) -> bool:
        """Tell whether nothing can be written at a path of the kernel's."""
        return bool(path) and path not in self._devices and not self.home_of(path)

    # what is refused; each raises the error that a read-only disk gives

    def check_open(self, path: str, flags: int, name: object) -> None:
        """Refuse to open a file.

        Args:
            path: Where the kernel is led.
            flags: Of open(2).
            name: What the app has called it.

        Raises:
            OSError: EROFS.
        """
        if self.is_read_only(path) and _is_write(path, flags):
            refuse(name)

    def check_new(self, path: str, *names: object) -> None:
        """Refuse to make something that does not exist.

        Args:
            path: Where the kernel is led, the last link not followed.
            names: What the app has called it.

        Raises:
            OSError: EROFS.
        """
        folder = os.path.dirname(path)
        if self.is_read_only(folder) and not exists(path) and exists(folder):
            refuse(*names)

    def check_gone(self, path: str, name: object) -> None:
        """Refuse to remove something.

        Args:
            path: Where the kernel is led, the last link not followed.
            name: What the app has called it.

        Raises:
            OSError: EROFS.
        """
        folder = os.path.dirname(path)
        if self.is_read_only(folder) and exists(folder):
            refuse(name)

    def check_changed(self, paths: Iterable[str], *names: object) -> None:
        """Refuse to change what exists.

        Args:
            paths: Where the kernel may be led.
            names: What the app has called it.

        Raises:
            OSError: EROFS.
        """
        if any(self.is_read_only(path) and exists(path) for path in paths):
            refuse(*names)


def _is_write(path: str, flags: int) -> bool:
    """Tell whether opening a path would write, were the disk not read-only."""
    try:
        mode = real.stat(path).st_mode
    except OSError:
        return bool(flags & os.O_CREAT) and exists(os.path.dirname(path))
    if stat.S_ISDIR(mode):
        return bool(flags & _TMPFILE)
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or (flags & os.O_CREAT and flags & os.O_EXCL):
        return False
    changes = flags & os.O_ACCMODE != os.O_RDONLY or bool(flags & os.O_TRUNC)
    return changes and real.access(path, os.W_OK)


def refuse(*names: object, number: int = errno.EROFS) -> NoReturn:
    """Raise the error of a read-only disk.

    Args:
        names: One path or two, as the app has given them.
        number: Another error's.

    Raises:
        OSError: Always.
    """
    if len(names) > 1:
        raise OSError(number, os.strerror(number), names[0], None, names[1])
    # a descriptor has no name
    raise OSError(number, os.strerror(number), *(one for one in names if not isinstance(one, int)))


def is_refused_beyond_permissions(path: str) -> bool:
    """Tell whether a write is refused that the permissions of a file, or its folder, allow.

    Args:
        path: Absolute.

    Returns:
        False too where nothing is refused.
    """
    guard = SESSION.guard
    if guard is None:
        return False
    kernel_path = guard.kernel_path(path)
    target = kernel_path if exists(kernel_path) else os.path.dirname(kernel_path)
    return guard.is_read_only(kernel_path) and real.access(target, os.W_OK)


# events


def _on_open(guard: Guard, args: tuple[object, ...]) -> None:
    path, _, flags = args
    if isinstance(path, int) or not isinstance(flags, int) or not flags & (WRITING | _TMPFILE):
        return
    follows = not flags & _NOFOLLOW and not (flags & os.O_CREAT and flags & os.O_EXCL)
    guard.check_open(guard.kernel_path(path, follows=follows), flags, path)


def _on_new(guard: Guard, args: tuple[object, ...]) -> None:
    """`os.mkdir(path, mode, dir_fd)`."""
    guard.check_new(guard.kernel_path(args[0], _folder(args[-1]), follows=False), args[0])


def _on_symlink(guard: Guard, args: tuple[object, ...]) -> None:
    """`os.symlink(source, path, dir_fd)`."""
    path = guard.kernel_path(args[1], _folder(args[-1]), follows=False)
    guard.check_new(path, args[0], args[1])


def _on_link(guard: Guard, args: tuple[object, ...]) -> None:
    source = guard.kernel_path(args[0], _folder(args[2]), follows=False)
    path = guard.kernel_path(args[1], _folder(args[3]), follows=False)
    if not exists(source):
        return
    guard.check_new(path, args[0], args[1])
    if guard.home_of(source) != guard.home_of(path) and not exists(path):
        refuse(args[0], args[1], number=errno.EXDEV)


def _on_rename(guard: Guard, args: tuple[object, ...]) -> None:
    source = guard.kernel_path(args[0], _folder(args[2]), follows=False)
    path = guard.kernel_path(args[1], _folder(args[3]), follows=False)
    if not (exists(os.path.dirname(source)) and exists(os.path.dirname(path))):
        return
    home = guard.home_of(source)
    if home != guard.home_of(path):
        refuse(args[0], args[1], number=errno.EXDEV)
    if not home:
        refuse(args[0], args[1])


def _on_gone(guard: Guard, args: tuple[object, ...]) -> None:
    guard.check_gone(guard.kernel_path(args[0], _folder(args[1]), follows=False), args[0])


def _on_changed(guard: Guard, args: tuple[object, ...]) -> None:
    # whether a last link is followed, the event does not tell
    paths = [guard.kernel_path(args[0], follows=follows) for follows in (True, False)]
    guard.check_changed(paths, args[0])


def _on_changed_in_folder(guard: Guard, args: tuple[object, ...]) -> None:
    folder = _folder(args[-1])
    paths = [guard.kernel_path(args[0], folder, follows=follows) for follows in (True, False)]
    guard.check_changed(paths, args[0])


def _on_times(guard: Guard, args: tuple[object, ...]) -> None:
    """`os.utime(path, times, ns, dir_fd)`, whose errors name no file."""
    folder = _folder(args[-1])
    paths = [guard.kernel_path(args[0], folder, follows=follows) for follows in (True, False)]
    guard.check_changed(paths)


def _on_bind(guard: Guard, args: tuple[object, ...]) -> None:
    address = args[1]
    if not isinstance(address, (str, bytes)) or address[:1] in {b"", "", b"\0", "\0"}:
        return
    path = guard.kernel_path(address, follows=False)
    folder = os.path.dirname(path)
    if guard.is_read_only(folder) and not exists(path) and exists(folder):
        refuse()


def _on_ioctl(guard: Guard, args: tuple[object, ...]) -> None:
    descriptor, request = args[:2]
    if not isinstance(request, int) or request & _IOCTL_MASK not in _FILE_IOCTLS:
        return
    if isinstance(descriptor, int) and guard.is_read_only(descriptor_path(descriptor)):
        refuse()


def _on_connect(guard: Guard, args: tuple[object, ...]) -> None:
    check_database(guard, args[0])


def _folder(value: object) -> int:
    return value if isinstance(value, int) else _NO_DESCRIPTOR


_CHECKS: Mapping[str, Callable[[Guard, tuple[object, ...]], None]] = {
    "open": _on_open,
    "os.mkdir": _on_new,
    "os.symlink": _on_symlink,
    "os.link": _on_link,
    "os.rename": _on_rename,
    "os.remove": _on_gone,
    "os.rmdir": _on_gone,
    "os.truncate": _on_changed,
    "os.chmod": _on_changed_in_folder,
    "os.chown": _on_changed_in_folder,
    "os.utime": _on_times,
    "os.setxattr": _on_changed,
    "os.removexattr": _on_changed,
    "socket.bind": _on_bind,
    "fcntl.ioctl": _on_ioctl,
    "sqlite3.connect": _on_connect,
}
_SIGNALS = frozenset({"os.kill", "os.killpg"})


def on_audit(event: str, args: tuple[object, ...]) -> None:
    """Refuse what an audit event announces, if it is to be refused.

    Args:
        event: Any.
        args: Its arguments.

    Raises:
        OSError: It would write where nothing can be written, or signal another's process.
    """
    check = _CHECKS.get(event)
    if check is None:
        if event in _SIGNALS and SESSION.guards_signals:
            check_signal(event, args)
        return
    guard = SESSION.guard
    if guard is not None and get_ident() not in SESSION.passing:
        check(guard, args)
