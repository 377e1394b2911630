"""What an audit event would change on disk, and whether the kernel is going to refuse it.

Where the instance has a disk of its own, what changes the content of a file there is an attempt
too, which the kernel will allow.

An audit event fires before the system call, so the answer is worked out from what the call
will meet: the kernel looks names up before it minds that a filesystem is read-only, so a create
over something that exists fails with EEXIST and is no attempt to write. Deleting and renaming
are the other way round (Linux answers EROFS for a name that does not exist): such an attempt
is *harmless*, worth knowing only if its error gets out of the app. A rename from or to another
filesystem is EXDEV, whichever side is read-only.

Source: fs/namei.c of Linux (`open_last_lookups`, `filename_create`, `do_unlinkat`,
`do_renameat2`); the events are listed at https://docs.python.org/3/library/audit_events.html.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_stateless.guest.observe.paths import (
    AT_CWD,
    is_ordinary,
    is_read_only,
    is_regular,
    mode_of,
    resolve,
    text_of,
)
from pytest_stateless.model.observation import WriteOutcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType

    from pytest_stateless.guest.observe.disk import OwnDisk

WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
TEMPORARY = getattr(os, "O_TMPFILE", 0) & ~getattr(os, "O_DIRECTORY", 0)
_FLAG_NAMES = ("O_CREAT", "O_EXCL", "O_TRUNC", "O_APPEND")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt to write that the kernel is going to refuse, or to allow on the instance's disk.

    Attributes:
        operation: As a call that a reader knows.
        path: Absolute path of what would change.
        error: The error as Python will show it; empty where it is allowed.
        names: Paths as the app gave them, to recognise the exception by.
        is_harmless: Whether nothing would have changed on a writable disk either.
        is_database: Whether sqlite will raise the error.
        outcome: `refused` or `allowed`.
    """

    operation: str
    path: str
    error: str
    names: tuple[str, ...]
    is_harmless: bool = False
    is_database: bool = False
    outcome: WriteOutcome = "refused"


def attempt_of(
    event: str,
    args: tuple[object, ...],
    frame: FrameType | None,
    disk: OwnDisk | None = None,
) -> Attempt | None:
    """Work out what an audit event attempts.

    Args:
        event: One of `EVENTS`.
        args: Its arguments.
        frame: The frame that calls.
        disk: The instance's own disk, if it has one.

    Returns:
        The attempt, or None where it will neither be refused for being a write nor change the
        content of a file on the disk.
    """
    if event == "open":
        return _open(args, frame, disk)
    attempt = _BUILDERS[event](event, args)
    if attempt is None and disk is not None and event in _ON_DISK:
        return _ON_DISK[event](event, args, disk)
    return attempt


def _open(
    args: tuple[object, ...], frame: FrameType | None, disk: OwnDisk | None
) -> Attempt | None:
    target, mode, flags = args
    if isinstance(target, int) or not isinstance(flags, int):
        return None
    path = resolve(target)
    outcome = _outcome_of_open(path, flags, disk) if path and is_ordinary(path) else None
    if path is None or outcome is None:
        return None
    shown = text_of(target) or path
    if mode is None and not shown.startswith("/") and _passes_dir_fd(frame):
        return None  # the event does not tell which folder: the exception will
    call = f"open({shown!r}, {mode!r})" if mode else f"os.open({shown!r}, {_flag_names(flags)})"
    return _refused(call, path, shown) if outcome == "refused" else _allowed(call, path, shown)


def _outcome_of_open(path: str, flags: int, disk: OwnDisk | None) -> WriteOutcome | None:
    mode = mode_of(path)
    if mode is None:
        target = os.path.realpath(path)  # a dangling link creates what it points at
        return _outcome_at(os.path.dirname(target), disk) if flags & os.O_CREAT else None
    if stat.S_ISDIR(mode):
        # what has no name is gone when it is closed
        return _outcome_at(path, None) if flags & TEMPORARY else None
    if flags & os.O_CREAT and flags & os.O_EXCL:
        return None
    changes = flags & os.O_ACCMODE != os.O_RDONLY or bool(flags & os.O_TRUNC)
    return _outcome_at(path, disk) if changes and stat.S_ISREG(mode) else None


def _outcome_at(path: str, disk: OwnDisk | None) -> WriteOutcome | None:
    """Tell what becomes of a change of a file, or of one in a folder, if that is worth telling."""
    if is_read_only(path):
        return "refused"
    return "allowed" if disk is not None and disk.takes(path) else None


def _passes_dir_fd(frame: FrameType | None) -> bool:
    """Tell whether the caller names `dir_fd` in a call; its keyword names are a constant."""
    constants = frame.f_code.co_consts if frame is not None else ()
    return any(isinstance(value, tuple) and "dir_fd" in value for value in constants)


def _flag_names(flags: int) -> str:
    access = {os.O_WRONLY: "O_WRONLY", os.O_RDWR: "O_RDWR"}.get(flags & os.O_ACCMODE, "O_RDONLY")
    names = [access, *(name for name in _FLAG_NAMES if flags & getattr(os, name))]
    return " | ".join(f"os.{name}" for name in names)


def _create(event: str, args: tuple[object, ...]) -> Attempt | None:
    """`os.mkdir(path, mode, dir_fd)`, `os.symlink(source, path, dir_fd)`, `os.link(...)`."""
    arguments = args[:1] if event == "os.mkdir" else args[:2]
    path = resolve(arguments[-1], _descriptor(args[-1]))
    if event == "os.link" and not os.path.lexists(resolve(args[0], _descriptor(args[2])) or ""):
        return None
    if path is None or os.path.lexists(path) or not _is_in_read_only_folder(path):
        return None
    names = tuple(text_of(argument) or path for argument in arguments)
    return _refused(f"{event}({', '.join(map(repr, names))})", path, *names)


def _bind(event: str, args: tuple[object, ...]) -> Attempt | None:
    address = args[1]
    if not isinstance(address, (str, bytes)) or address[:1] in {b"", "", b"\0", "\0"}:
        return None
    path = resolve(address)
    if path is None or os.path.lexists(path) or not _is_in_read_only_folder(path):
        return None
    call = f"{event}({text_of(address)!r})"
    return Attempt(operation=call, path=path, error=_text(errno.EROFS), names=(path,))


def _delete(event: str, args: tuple[object, ...]) -> Attempt | None:
    path = resolve(args[0], _descriptor(args[1]))
    if path is None or not _is_in_read_only_folder(path):
        return None
    shown = text_of(args[0]) or path
    return _refused(f"{event}({shown!r})", path, shown, is_harmless=not os.path.lexists(path))


def _rename(event: str, args: tuple[object, ...]) -> Attempt | None:
    source = resolve(args[0], _descriptor(args[2]))
    target = resolve(args[1], _descriptor(args[3]))
    if source is None or target is None:
        return None
    from_read_only = _is_in_read_only_folder(source)
    to_read_only = _is_in_read_only_folder(target)
    if not (from_read_only or to_read_only) or not os.path.isdir(os.path.dirname(target)):
        return None
    names = (text_of(args[0]) or source, text_of(args[1]) or target)
    number = errno.EROFS if from_read_only and to_read_only else errno.EXDEV
    return Attempt(
        operation=f"{event}({names[0]!r}, {names[1]!r})",
        path=target if to_read_only else source,
        error=_text(number, *names),
        names=names,
        is_harmless=not os.path.lexists(source),
    )


def _change(event: str, args: tuple[object, ...]) -> Attempt | None:
    """Events whose first argument is a path or a descriptor of what exists."""
    last = _descriptor(args[-1]) if event in _WITH_DIR_FD else AT_CWD
    path = resolve(args[0], last)
    if path is None or not is_ordinary(path) or not is_read_only(path):
        return None
    if event == "os.truncate" and not is_regular(path):
        return None
    shown = text_of(args[0]) or path
    more = f", 0o{args[1]:o}" if event == "os.chmod" and isinstance(args[1], int) else ""
    return _refused(f"{event}({shown!r}{more})", path, shown)


def _remove_on_disk(event: str, args: tuple[object, ...], disk: OwnDisk) -> Attempt | None:
    path = resolve(args[0], _descriptor(args[1]))
    if path is None or not is_regular(path) or not disk.takes(os.path.dirname(path)):
        return None
    shown = text_of(args[0]) or path
    return _allowed(f"{event}({shown!r})", path, shown)


def _rename_on_disk(event: str, args: tuple[object, ...], disk: OwnDisk) -> Attempt | None:
    source = resolve(args[0], _descriptor(args[2]))
    target = resolve(args[1], _descriptor(args[3]))
    if source is None or target is None or not os.path.lexists(source):
        return None
    places = [path for path in (target, source) if disk.takes(os.path.dirname(path))]
    if not places:
        return None
    names = (text_of(args[0]) or source, text_of(args[1]) or target)
    return _allowed(f"{event}({names[0]!r}, {names[1]!r})", places[0], *names)


def _truncate_on_disk(event: str, args: tuple[object, ...], disk: OwnDisk) -> Attempt | None:
    path = resolve(args[0])
    if path is None or not is_regular(path) or not disk.takes(path):
        return None
    shown = text_of(args[0]) or path
    return _allowed(f"{event}({shown!r})", path, shown)


def _is_in_read_only_folder(path: str) -> bool:
    return is_ordinary(path) and is_read_only(os.path.dirname(path))


def _descriptor(value: object) -> int:
    return value if isinstance(value, int) else AT_CWD


def _refused(operation: str, path: str, *names: str, is_harmless: bool = False) -> Attempt:
    error = _text(errno.EROFS, *names)
    return Attempt(
        operation=operation, path=path, error=error, names=names, is_harmless=is_harmless
    )


def _allowed(operation: str, path: str, *names: str) -> Attempt | None:
    if not is_ordinary(path):
        return None
    return Attempt(operation=operation, path=path, error="", names=names, outcome="allowed")


def _text(number: int, *names: str) -> str:
    """Word an error as the interpreter does."""
    filenames = (names[0], None, names[1]) if len(names) > 1 else names
    return str(OSError(number, os.strerror(number), *filenames))


_WITH_DIR_FD = frozenset({"os.chmod", "os.chown", "os.utime"})
_BUILDERS: Mapping[str, Callable[[str, tuple[object, ...]], Attempt | None]] = {
    "os.remove": _delete,
    "os.rmdir": _delete,
    "os.rename": _rename,
    "os.mkdir": _create,
    "os.link": _create,
    "os.symlink": _create,
    "os.truncate": _change,
    "os.chmod": _change,
    "os.chown": _change,
    "os.utime": _change,
    "os.setxattr": _change,
    "os.removexattr": _change,
    "socket.bind": _bind,
}
_ON_DISK: Mapping[str, Callable[[str, tuple[object, ...], OwnDisk], Attempt | None]] = {
    "os.remove": _remove_on_disk,
    "os.rename": _rename_on_disk,
    "os.truncate": _truncate_on_disk,
}
EVENTS: frozenset[str] = frozenset({"open", *_BUILDERS})
"""The audit events that can change the filesystem."""
