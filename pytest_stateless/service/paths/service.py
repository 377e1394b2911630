"""A path that stands for a networked service: a folder, or a file with what sqlite puts beside it.

Instances have the folder mounted, and the test or a frozen instance may have files of it open. So
what is put back is written into the files and folders that are there: a folder is never replaced,
and a file only where it has become another one. What has not changed is not touched.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_stateless.errors import ServiceError
from pytest_stateless.service.paths import copies, databases

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_stateless.model.observed import Observed

_TICK_NS = 20_000_000
"""Longer than what a kernel's clock for files stands still, which is a jiffy of up to 10 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """A file at one moment, as far as a change would show."""

    inode: int
    size_bytes: int
    modified_ns: int
    changed_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PathState:
    """What a path held.

    Attributes:
        copy: The folder with the copies.
        looks: How the files looked that were copied, by their paths below the service's folder;
            without those that were changed so shortly before that another
            change may have left the same times.
    """

    copy: str
    looks: Mapping[str, _Look]


class PathService:
    """A folder, or a file, that instances may write and that outlives them.

    Args:
        path: Absolute. A folder; or a file, which may be still to come in a folder that exists.
        name: What reports call it; the path if not given.
    """

    def __init__(self, path: str, name: str = "") -> None:
        self.name = name or path
        self.path = os.path.realpath(path)
        self._is_file = not os.path.isdir(self.path)
        self._folder = os.path.dirname(self.path) if self._is_file else self.path
        self._states: list[str] = []

    def environment(self) -> Mapping[str, str]:
        """Return nothing: whoever uses a path knows it."""
        return {}

    def snapshot(self) -> PathState:
        """Remember what the path holds now.

        Returns:
            Its state.

        Raises:
            ServiceError: It does not exist, cannot be read, or has a device in it.
        """
        try:
            self._check()
            private = tempfile.mkdtemp(prefix=".stateless-", dir=_place_outside(self._folder))
            self._states.append(private)
            copy = os.path.join(private, "content")
            if not self._is_file:
                copies.copy(self._folder, copy, _is_index)
                return PathState(copy=copy, looks=dict(self._looks_below(self._folder)))
            os.mkdir(copy)
            looks: dict[str, _Look] = {}
            for name in self._names():
                path = os.path.join(self._folder, name)
                if not _is_index(path):
                    copies.copy(path, os.path.join(copy, name))
                    looks.update(self._looks_below(path))
        except OSError as error:
            raise self._error("remembered", error) from error
        return PathState(copy=copy, looks=looks)

    def restore(self, state: PathState) -> None:
        """Put the path back to what it held; what came later is gone.

        Args:
            state: What `snapshot` returned.

        Raises:
            ServiceError: It cannot be written, or another process is in the middle of a
                transaction on a database of it.
        """
        if not os.path.isdir(state.copy):
            raise ServiceError(
                f"service path {self.name} cannot be put back: {state.copy} with its copy is gone"
            )
        try:
            self._check()
            for database in self._databases():
                databases.check_unused(database)
            self._put_back(state, "")
        except OSError as error:
            raise self._error("put back", error) from error

    def forget(self, state: PathState) -> None:
        """Remove the copy of a state.

        Args:
            state: What `snapshot` returned.
        """
        private = os.path.dirname(state.copy)
        if private in self._states:
            self._states.remove(private)
            copies.remove(private)

    def observe(self) -> Observed:
        """Return what the path holds, by paths below its folder.

        Returns:
            Of a sqlite database its schema and rows, of another file its hash and size, of a link
            its target; of a folder only that it is empty.

        Raises:
            ServiceError: It does not exist, cannot be read, or has a device in it.
        """
        try:
            self._check()
            return {
                path: seen
                for name in sorted(self._names())
                for path, seen in _observe(os.path.join(self._folder, name), name)
            }
        except OSError as error:
            raise self._error("observed", error) from error

    def close(self) -> None:
        """Remove every copy; the path stays as it is."""
        states, self._states = self._states, []
        for state in states:
            if os.path.isdir(state):
                copies.remove(state)

    def _check(self) -> None:
        if not os.path.isdir(self._folder):
            raise ServiceError(
                f"service path {self.name} does not exist; make it before the first request"
            )
        if not self._is_file or not os.path.lexists(self.path):
            return
        if not stat.S_ISREG(os.lstat(self.path).st_mode):
            raise ServiceError(
                f"service path {self.name} is neither a file nor a folder, and cannot be remembered"
            )

    def _error(self, what: str, error: OSError) -> ServiceError:
        where = f" of {error.filename}" if error.filename else ""
        return ServiceError(
            f"service path {self.name} cannot be {what}: {error.strerror or error}{where}"
        )

    def _names(self) -> list[str]:
        """List what of the folder belongs to the service."""
        names = os.listdir(self._folder)
        if not self._is_file:
            return names
        own = os.path.basename(self.path)
        return [name for name in names if name in {own, *(own + e for e in databases.COMPANIONS)}]

    def _databases(self) -> Iterator[str]:
        for name in self._names():
            for file in _files_below(os.path.join(self._folder, name)):
                if databases.is_database(file):
                    yield file

    def _looks_below(self, path: str) -> Iterator[tuple[str, _Look]]:
        now_ns = time.time_ns()
        for file in _files_below(path):
            look = _look_at(file)
            if now_ns - look.changed_ns > _TICK_NS:
                yield os.path.relpath(file, self._folder), look

    def _put_back(self, state: PathState, below: str) -> None:
        """Make one folder what it was.

        Args:
            state: What it was.
            below: Its path below the service's folder.
        """
        live, kept = os.path.join(self._folder, below), os.path.join(state.copy, below)
        is_whole = bool(below) or not self._is_file
        if is_whole:
            copies.open_up(live)
        now = set(os.listdir(live) if is_whole else self._names())
        then = set(os.listdir(kept))
        indices = {name for name in now if _is_index(os.path.join(live, name))}
        users = {name.removesuffix(databases.INDEX) for name in indices}
        in_use = {name for name in users if databases.is_open(os.path.join(live, name))}
        for name in sorted(now - then - indices):
            path = os.path.join(live, name)
            if name.endswith(databases.WAL) and name.removesuffix(databases.WAL) in in_use:
                os.truncate(path, 0)  # without its name, its users would write where nobody reads
            else:
                copies.remove(path)
        for name in sorted(then):
            self._put_back_one(state, os.path.join(below, name))
        for name in sorted(users):
            if name in in_use:
                databases.invalidate_index(os.path.join(live, name))
            else:
                os.unlink(os.path.join(live, name + databases.INDEX))
        if is_whole:
            copies.copy_status(kept, live)

    def _put_back_one(self, state: PathState, below: str) -> None:
        live, kept = os.path.join(self._folder, below), os.path.join(state.copy, below)
        kind = stat.S_IFMT(os.lstat(kept).st_mode)
        if os.path.lexists(live) and stat.S_IFMT(os.lstat(live).st_mode) == kind:
            if kind == stat.S_IFDIR:
                self._put_back(state, below)
                return
            if kind == stat.S_IFREG and _look_at(live) == state.looks.get(below):
                return
            if kind == stat.S_IFREG and os.lstat(live).st_nlink == 1:
                copies.open_up(live)
                copies.fill(kept, os.open(live, os.O_WRONLY))
                copies.copy_status(kept, live)
                return
        if os.path.lexists(live):
            copies.remove(live)
        copies.copy(kept, live)


def _place_outside(folder: str) -> str:
    """Choose where copies go: the folder for temporary files, or beside where that is elsewhere.

    A copy by reflink must stay on its filesystem.

    Args:
        folder: That is copied.

    Returns:
        A folder.
    """
    usual, beside = os.path.realpath(tempfile.gettempdir()), os.path.dirname(folder)
    is_within = usual == folder or usual.startswith(folder.rstrip("/") + "/")
    device = os.stat(folder).st_dev
    is_elsewhere = os.stat(usual).st_dev != device
    can_be_beside = os.stat(beside).st_dev == device and os.access(beside, os.W_OK | os.X_OK)
    return beside if is_within or (is_elsewhere and can_be_beside) else usual


def _is_index(path: str) -> bool:
    return path.endswith(databases.INDEX) and databases.database_of(path) != ""


def _files_below(path: str) -> Iterator[str]:
    """Walk over the regular files of a path, which may be one."""
    mode = os.lstat(path).st_mode
    if stat.S_ISREG(mode):
        yield path
    elif stat.S_ISDIR(mode):
        for name in sorted(os.listdir(path)):
            yield from _files_below(os.path.join(path, name))


def _look_at(path: str) -> _Look:
    status = os.lstat(path)
    return _Look(
        inode=status.st_ino,
        size_bytes=status.st_size,
        modified_ns=status.st_mtime_ns,
        changed_ns=status.st_ctime_ns,
    )


def _observe(path: str, name: str) -> Iterator[tuple[str, Observed]]:
    kind = stat.S_IFMT(os.lstat(path).st_mode)
    if kind == stat.S_IFDIR:
        names = sorted(os.listdir(path))
        if not names:
            yield f"{name}/", "empty"
        for inner in names:
            yield from _observe(os.path.join(path, inner), f"{name}/{inner}")
    elif kind == stat.S_IFLNK:
        yield name, {"link": os.readlink(path)}
    elif kind == stat.S_IFREG:
        if not databases.database_of(path):
            is_database = databases.is_database(path)
            yield name, databases.observe_database(path) if is_database else _file(path)
    elif kind in {stat.S_IFIFO, stat.S_IFSOCK}:
        yield name, "pipe" if kind == stat.S_IFIFO else "socket"
    else:
        raise ServiceError(f"{path} is a device, which cannot be observed; keep it out of services")


def _file(path: str) -> Observed:
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"bytes": os.fstat(file.fileno()).st_size, "sha256": digest}
