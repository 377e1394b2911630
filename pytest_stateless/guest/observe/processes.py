"""Child processes that live when the response is complete, daemons included.

Where an instance has a mount namespace of its own, its processes are those in it, whoever their
parent is by now. Where it has none, it stays the parent of all that it starts, and its
descendants are taken. `/proc` is only searched if a process can have been started.
"""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_stateless.guest.observe.origins import RawStack, read, snapshot
from pytest_stateless.model.observation import Phase, Survivor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from pytest_stateless.guest.stack import StackReader

_HELPERS = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
_SPAWNERS = ("multiprocessing.popen_spawn_posix", "multiprocessing.popen_forkserver")
_MAX_STARTS = 100


@dataclass(frozen=True, slots=True)
class _Start:
    stack: RawStack
    phase: Phase
    command: tuple[str, ...]


class ProcessWatch:
    """Remembers how processes began and tells which are alive.

    Args:
        reader: Knows what is first-party.
        has_namespace: Whether this process has a mount namespace of its own; None to find out.
    """

    def __init__(self, reader: StackReader, *, has_namespace: bool | None = None) -> None:
        self._reader = reader
        self._has_namespace = has_namespace
        self._starts: list[_Start] = []
        self._has_started = False
        self._known: set[str] = set()

    def installed(self) -> None:
        """Take the processes that are there already for none of the app's.

        An instance has none; listing `/proc` of a busy host costs 0.3 ms.
        """
        if self._has_namespace is None:
            self._has_namespace = _has_own_namespace()
            self._known = set() if self._has_namespace else set(os.listdir("/proc"))

    def started(self, event: str, args: tuple[object, ...], frame: FrameType, phase: Phase) -> None:
        """Take down that a process is being started.

        Args:
            event: The audit event.
            args: Its arguments.
            frame: Of the caller.
            phase: When.
        """
        self._has_started = True
        if len(self._starts) < _MAX_STARTS:
            self._starts.append(_Start(snapshot(frame), phase, _command(event, args)))

    def drain(self, phase: Phase) -> tuple[Survivor, ...]:
        """Look at what is alive.

        Args:
            phase: What a process of unknown origin is put down to.

        Returns:
            Each process once.
        """
        starts, self._starts = self._starts, []
        if not (self._has_started or any(name in sys.modules for name in _SPAWNERS)):
            return ()
        found = []
        own = _command_line(os.getpid())
        for pid, command in _living(self._known, is_alone=bool(self._has_namespace)):
            self._known.add(str(pid))
            if not any(helper in " ".join(command) for helper in _HELPERS):
                start = _start_of(command, starts)
                # a fork that runs no other program has the words of this interpreter's start
                found.append(self._survivor(() if command == own else command, start, phase))
        return tuple(found)

    def _survivor(self, command: tuple[str, ...], start: _Start | None, phase: Phase) -> Survivor:
        stack = read(start.stack, self._reader) if start else ()
        return Survivor(
            kind="process",
            name=shlex.join(command),
            target="",
            stack=stack,
            runs_first_party=any(frame.is_first_party for frame in stack) or not stack,
            phase=start.phase if start else phase,
        )


def _command(event: str, args: tuple[object, ...]) -> tuple[str, ...]:
    if event in {"os.fork", "os.forkpty", "multiprocessing"}:
        return ()
    if event == "os.system":
        return ("sh", "-c", _text(args[0]))
    words = args[1]
    if isinstance(words, (list, tuple)):
        return tuple(_text(word) for word in words)
    return (_text(words),)


def _text(word: object) -> str:
    return os.fsdecode(word) if isinstance(word, (str, bytes, os.PathLike)) else str(word)


def _start_of(command: tuple[str, ...], starts: list[_Start]) -> _Start | None:
    # The same words, else the last fork, else the last of all: what a process execs later, or a
    # daemon's middle generation, has no words of its start.
    for start in reversed(starts):
        if start.command == command:
            return start
    forks = [start for start in starts if not start.command]
    return next(reversed(forks or starts), None)


def _living(known: set[str], *, is_alone: bool) -> Iterator[tuple[int, tuple[str, ...]]]:
    own = os.getpid()
    parents = {pid: parent for pid in _pids() if (parent := _parent_of_living(pid)) is not None}
    home = _mount_namespace(own)
    for pid in parents:
        if pid == own or str(pid) in known:
            continue
        is_ours = _mount_namespace(pid) == home if is_alone else _descends(pid, own, parents)
        if is_ours:
            yield pid, _command_line(pid)


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdecimal())


def _parent_of_living(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in {b"Z", b"X"} else int(fields[1])


def _has_own_namespace() -> bool:
    return _mount_namespace(os.getpid()) != _mount_namespace(os.getppid())


def _mount_namespace(pid: int) -> str | None:
    try:
        return os.readlink(f"/proc/{pid}/ns/mnt")
    except OSError:
        return None


def _descends(pid: int, ancestor: int, parents: dict[int, int]) -> bool:
    while pid in parents:
        pid = parents[pid]
        if pid == ancestor:
            return True
    return False


def _command_line(pid: int) -> tuple[str, ...]:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().rstrip(b"\0").split(b"\0")
    except OSError:
        return ()
    return tuple(os.fsdecode(word) for word in words)
