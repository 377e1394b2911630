"""Opening files and writing to descriptors: the private folder's, within its size.

What is opened below `/tmp` is a real file with a real descriptor, which C code, `mmap` and
programs can take like any other. Only what writes to it through Python is counted.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, Any

from pytest_stateless.guest.sandbox.detour import real
from pytest_stateless.guest.sandbox.detour.guard import WRITING
from pytest_stateless.guest.sandbox.detour.session import SESSION, Passing
from pytest_stateless.guest.sandbox.detour.view import given

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Function = Any  # a function of the interpreter, whose signature is passed through
_MODE = 0o666
_FRAMES_TO_CALLER = 5
_TMPFILE = getattr(os, "O_TMPFILE", 0) & ~getattr(os, "O_DIRECTORY", 0)


class CountedFile(io.FileIO):
    """A file of which every byte that is written is counted, if it is in the private folder."""

    def __init__(
        self,
        file: Any,  # noqa: ANN401 (a path of any kind, or a descriptor)
        mode: str,
        closefd: bool,  # noqa: FBT001 (as io.FileIO)
        opener: Callable[[Any, int], int] | None,
    ) -> None:
        super().__init__(file, mode, closefd, opener)
        self._closes = closefd
        self._number = self.fileno()

    def write(self, data: Any, /) -> int:  # noqa: ANN401 (any buffer)
        """Write as much as fits."""
        quota = SESSION.quota
        if quota is None or self._number not in quota.descriptors or self.closed:
            return super().write(data)
        view = memoryview(data).cast("B")
        return super().write(view[: quota.take(self._number, len(view))])

    def close(self) -> None:
        """Close it."""
        if not self.closed and self._closes and SESSION.quota is not None:
            SESSION.quota.descriptors.discard(self._number)
        super().close()


def open_file(  # noqa: PLR0913, PLR0917 (as `open`)
    original: Function,
    file: Any,  # noqa: ANN401 (a path of any kind, or a descriptor)
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,  # noqa: FBT001, FBT002 (as `open`)
    opener: Callable[[Any, int], int] | None = None,
) -> Any:  # noqa: ANN401 (a file of any kind)
    """Stand in for `open`.

    Args:
        original: The function itself.
        file: A path or a descriptor.
        mode: As of `open`.
        buffering: As of `open`.
        encoding: As of `open`.
        errors: As of `open`.
        newline: As of `open`.
        closefd: As of `open`.
        opener: As of `open`.

    Returns:
        The file.

    Raises:
        OSError: As `open`.
    """
    text = (encoding, errors, newline)
    writes = not _CHANGING.isdisjoint(str(mode))
    located = SESSION.locate(file, is_counted=writes) if opener is None else None
    if located is not None:
        opener = _opener_of(located)
    is_ours = opener is not None and (located is not None or writes)
    is_ours = is_ours or (writes and _is_counted(file))
    if not is_ours or not _is_valid(mode, text):
        return original(file, mode, buffering, encoding, errors, newline, closefd, opener)
    try:
        return _open(file, mode, buffering, text, closefd, opener)
    except OSError as error:
        if located is not None and error.filename == located:
            error.filename = given(file)
        raise


_CHANGING = frozenset("wax+")
_MODES = frozenset("rwaxbt+")


def _is_valid(mode: Any, text: Iterable[str | None]) -> bool:  # noqa: ANN401 (what is no text too)
    """Tell whether `open` takes a mode; if not, it shall say why itself."""
    if not isinstance(mode, str) or not _MODES.issuperset(mode) or len(set(mode)) < len(mode):
        return False
    is_binary = "b" in mode
    if is_binary and ("t" in mode or any(value is not None for value in text)):
        return False
    return len(set(mode) & set("rwax")) == 1


def _is_counted(file: object) -> bool:
    quota = SESSION.quota
    return quota is not None and isinstance(file, int) and file in quota.descriptors


def _opener_of(located: str) -> Callable[[Any, int], int]:
    def opener(_: object, flags: int) -> int:
        descriptor = real.open_descriptor(located, flags, _MODE)
        _count(descriptor, flags)
        return descriptor

    return opener


def _count(descriptor: int, flags: int) -> None:
    if SESSION.quota is not None and flags & (WRITING | _TMPFILE):
        SESSION.quota.descriptors.add(descriptor)


def _open(  # noqa: PLR0913, PLR0917 (as `open`)
    file: Any,  # noqa: ANN401 (a path of any kind, or a descriptor)
    mode: str,
    buffering: int,
    text: tuple[str | None, str | None, str | None],
    closefd: bool,  # noqa: FBT001 (as `open`)
    opener: Callable[[Any, int], int] | None,
) -> Any:  # noqa: ANN401 (a file of any kind)
    """Do what `open` does, with a file that counts.

    Source: `open` in https://github.com/python/cpython/blob/main/Lib/_pyio.py
    """  # noqa: DOC201 (the summary says it)
    raw_mode = mode.replace("b", "").replace("t", "")
    if opener is None:
        raw = CountedFile(file, raw_mode, closefd, None)
    else:
        flags = _flags_of(raw_mode)
        with Passing():  # an observer is told what the app has asked for
            sys.audit("open", file, mode, flags)
        # not within the other context: what an opener of the app's opens itself is to be checked
        descriptor = opener(file, flags)
        with Passing():
            raw = CountedFile(file, raw_mode, closefd, lambda *_: descriptor)
    try:
        return _wrap(raw, mode, buffering, text)
    except BaseException:
        raw.close()
        raise


def _wrap(
    raw: CountedFile,
    mode: str,
    buffering: int,
    text: tuple[str | None, str | None, str | None],
) -> Any:  # noqa: ANN401 (a file of any kind)
    """Put a buffer and a decoder around a file."""
    if buffering == 0:
        if "b" not in mode:
            raise ValueError("can't have unbuffered text I/O")
        return raw
    is_line_buffered = buffering == 1 or (buffering < 0 and raw.isatty())
    size = io.DEFAULT_BUFFER_SIZE if buffering in {-1, 1} else buffering
    buffered: Any
    if "+" in mode:
        buffered = io.BufferedRandom(raw, size)
    elif "r" in mode:
        buffered = io.BufferedReader(raw, size)
    else:
        buffered = io.BufferedWriter(raw, size)
    if "b" in mode:
        return buffered
    encoding, errors, newline = text
    encoding = io.text_encoding(encoding, _FRAMES_TO_CALLER)
    decoded: Any = io.TextIOWrapper(buffered, encoding, errors, newline, is_line_buffered)
    decoded.mode = mode
    return decoded


def _flags_of(raw_mode: str) -> int:
    access = os.O_RDWR if "+" in raw_mode else os.O_RDONLY if "r" in raw_mode else os.O_WRONLY
    more = {
        "w": os.O_CREAT | os.O_TRUNC,
        "a": os.O_CREAT | os.O_APPEND,
        "x": os.O_CREAT | os.O_EXCL,
    }
    return access | getattr(os, "O_CLOEXEC", 0) | more.get(raw_mode[0], 0)


def open_descriptor(
    original: Function,
    path: Any,  # noqa: ANN401 (a path of any kind)
    flags: int,
    mode: int = 0o777,
    *,
    dir_fd: int | None = None,
) -> int:
    """Stand in for `os.open`.

    Args:
        original: The function itself.
        path: What to open.
        flags: As of open(2).
        mode: Of a new file.
        dir_fd: The folder that a relative path starts from.

    Returns:
        The descriptor.

    Raises:
        OSError: As the function.
    """
    is_new = flags & os.O_CREAT and flags & os.O_EXCL
    follows = not flags & getattr(os, "O_NOFOLLOW", 0) and not is_new
    located = SESSION.locate(path, dir_fd, follows=follows)
    descriptor: int
    if located is not None:
        try:
            descriptor = original(located, flags, mode)
        except OSError as error:
            error.filename = given(path)
            raise
    elif dir_fd is None:
        descriptor = original(path, flags, mode)
    else:
        # the audit event does not tell which folder
        guard = SESSION.guard
        if guard is not None and flags & (WRITING | _TMPFILE):
            guard.check_open(guard.kernel_path(path, dir_fd, follows=follows), flags, path)
        with Passing():
            descriptor = original(path, flags, mode, dir_fd=dir_fd)
    if flags & (WRITING | _TMPFILE) and _is_private(descriptor):
        _count(descriptor, flags)
    return descriptor


def _is_private(descriptor: int) -> bool:
    view, guard = SESSION.view, SESSION.guard
    if view is None or guard is None or not view.private:
        return False
    return guard.home_of(guard.kernel_path(descriptor)) == view.private


# descriptors that count


def write(original: Function, descriptor: int, data: Any, /) -> int:  # noqa: ANN401 (any buffer)
    """Stand in for `os.write`."""
    if not _is_counted(descriptor):
        return int(original(descriptor, data))
    view = memoryview(data).cast("B")
    return int(original(descriptor, view[: _take(descriptor, len(view))]))


def pwrite(original: Function, descriptor: int, data: Any, offset: int, /) -> int:  # noqa: ANN401
    """Stand in for `os.pwrite`."""
    if not _is_counted(descriptor):
        return int(original(descriptor, data, offset))
    view = memoryview(data).cast("B")
    return int(original(descriptor, view[: _take(descriptor, len(view), offset)], offset))


def writev(original: Function, descriptor: int, buffers: Any, /, *args: Any) -> int:  # noqa: ANN401
    """Stand in for `os.writev` and `os.pwritev`."""
    if not _is_counted(descriptor):
        return int(original(descriptor, buffers, *args))
    data = b"".join(bytes(buffer) for buffer in buffers)
    fitting = data[: _take(descriptor, len(data), args[0] if args else None)]
    return int(original(descriptor, [fitting], *args))


def sendfile(original: Function, *args: Any, **kwargs: Any) -> int:  # noqa: ANN401
    """Stand in for `os.sendfile`: target, source, offset, count."""
    names = ("out_fd", "in_fd", "offset", "count")
    values = {**dict(zip(names, args, strict=False)), **kwargs}
    if len(args) > len(names) or not _is_counted(values.get("out_fd")):
        return int(original(*args, **kwargs))
    return _transfer(original, values, "out_fd")


def copy_file_range(original: Function, *args: Any, **kwargs: Any) -> int:  # noqa: ANN401
    """Stand in for `os.copy_file_range`: source, target, count."""
    values = {**dict(zip(("src", "dst", "count"), args, strict=False)), **kwargs}
    if not _is_counted(values.get("dst")):
        return int(original(*args, **kwargs))
    return _transfer(original, values, "dst")


def _transfer(original: Function, values: dict[str, Any], target: str) -> int:
    allowed = _take(values[target], values["count"])
    done = int(original(**{**values, "count": allowed}))
    if SESSION.quota is not None:
        SESSION.quota.give_back(allowed - done)
    return done


def _take(descriptor: int, count: int, position: int | None = None) -> int:
    assert SESSION.quota is not None  # noqa: S101 (the descriptor is one of its own)
    return SESSION.quota.take(descriptor, count, position)


def close(original: Function, descriptor: int) -> None:
    """Stand in for `os.close`."""
    if SESSION.quota is not None and isinstance(descriptor, int):
        SESSION.quota.descriptors.discard(descriptor)
    original(descriptor)


def duplicate(original: Function, descriptor: int, *args: Any, **kwargs: Any) -> int:  # noqa: ANN401
    """Stand in for `os.dup` and `os.dup2`."""
    copy: int = original(descriptor, *args, **kwargs)
    if SESSION.quota is not None:
        if _is_counted(descriptor):
            SESSION.quota.descriptors.add(copy)
        else:
            SESSION.quota.descriptors.discard(copy)
    return copy
