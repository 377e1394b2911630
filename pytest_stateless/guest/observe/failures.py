"""Exceptions by which a disk that is read-only, full, or not the file's makes itself known."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pytest_stateless.guest.observe.paths import resolve, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_stateless.guest.observe.disk import OwnDisk

MAX_CHAIN = 10
FailureKind = Literal["refused", "full", "related"]
_BY_ERRNO: dict[int | None, FailureKind] = {
    errno.EROFS: "refused",
    errno.ENOSPC: "full",
    errno.EXDEV: "related",
    errno.EOVERFLOW: "related",
}
_BY_SQLITE: dict[int, FailureKind] = {8: "refused", 13: "full", 14: "related"}
"""SQLITE_READONLY, SQLITE_FULL, SQLITE_CANTOPEN: https://www.sqlite.org/rescode.html."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An exception that tells of a write that did not succeed.

    Attributes:
        error: The exception: the one caught, or one in its chain.
        kind: `related` confirms an attempt that is known and says nothing by itself.
        names: Paths that it names, as the app gave them.
        is_database: Whether sqlite raised it.
    """

    error: BaseException
    kind: FailureKind
    names: tuple[str, ...] = ()
    is_database: bool = False

    @property
    def path(self) -> str:
        """The absolute path that it names last; empty if it names none."""
        return (resolve(self.names[-1]) or "") if self.names else ""


def failure_in(
    error: BaseException, is_kernel_refusal: Callable[[str], bool] = lambda _: False
) -> Failure | None:
    """Find the failure that an exception is, was raised from, or was raised while handling.

    Args:
        error: Any exception.
        is_kernel_refusal: Tells whether EACCES for a path means that it is read-only.

    Returns:
        The nearest one, or None.
    """
    for link in chain_of(error):
        found = _failure(link, is_kernel_refusal)
        if found is not None:
            return found
    return None


def chain_of(error: BaseException | None) -> Iterator[BaseException]:
    """Walk from an exception to its causes and contexts, nearest first, at most `MAX_CHAIN`.

    Args:
        error: Where to begin.

    Yields:
        Each exception once; members of groups too.
    """
    pending, seen = [error], set[int]()
    while pending and len(seen) < MAX_CHAIN:
        link = pending.pop(0)
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        pending += [link.__cause__, link.__context__]
        if isinstance(link, BaseExceptionGroup):
            pending += link.exceptions


def _failure(error: BaseException, is_kernel_refusal: Callable[[str], bool]) -> Failure | None:
    if isinstance(error, OSError):
        kind = _BY_ERRNO.get(error.errno)
        if kind is None and error.errno != errno.EACCES:
            return None
        texts = (text_of(name) for name in (error.filename, error.filename2))
        names = tuple(name for name in texts if name)
        if kind is None:
            path = resolve(names[-1]) if names else None
            kind = "refused" if path and is_kernel_refusal(path) else None
        return Failure(error=error, kind=kind, names=names) if kind else None
    code = getattr(error, "sqlite_errorcode", None)
    kind = _BY_SQLITE.get(code & 0xFF) if isinstance(code, int) else None
    return None if kind is None else Failure(error=error, kind=kind, is_database=True)


def is_full(path: str) -> bool:
    """Ask the kernel whether the filesystem of a path has no room for another block or file.

    Windows is not asked: there it is taken as full.
    """  # noqa: DOC201 (the summary says it)
    if not hasattr(os, "statvfs"):
        return True
    room = os.statvfs(path)
    return room.f_bavail == 0 or (room.f_files > 0 and room.f_favail == 0)


def full_path(failure: Failure, disk: OwnDisk | None = None, changed: tuple[str, ...] = ()) -> str:
    """Find which file a disk was too small for.

    Args:
        failure: Of the kind `full`.
        disk: The instance's own disk, if it has one.
        changed: Paths on the disk that were opened for writing, in order; closed by now perhaps.

    Returns:
        The path that it names; else the only file open for writing below `/tmp`, or on the disk,
        whichever is full; else `/tmp`. Empty where nothing says that either is full.
    """
    if failure.path:
        return failure.path
    written = set(_written())
    on_disk = [path for path in written if disk is not None and disk.has(path)]
    # a database rather than its journal
    candidate = min(on_disk, key=len) if on_disk else (changed or ("",))[-1]
    if os.path.exists(candidate) and is_full(candidate):
        return candidate
    if not (failure.is_database or is_full("/tmp")):
        return ""
    below_tmp = {path for path in written.difference(on_disk) if path.startswith("/tmp/")}
    return below_tmp.pop() if len(below_tmp) == 1 else "/tmp"


def _written() -> Iterator[str]:
    """Yield the files that are open for writing; none where there is no `/proc`."""
    numbers = os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []
    for number in numbers:
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
            can_write = os.lstat(f"/proc/self/fd/{number}").st_mode & 0o200
        except OSError:
            continue
        if can_write and target.startswith("/"):
            yield target.removesuffix(" (deleted)")
