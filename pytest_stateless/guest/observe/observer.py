"""The observer of one instance: what the app writes in vain, reads, and leaves running.

A write is in vain that is refused, finds no room, or goes to a disk that goes with its instance.
"""

from __future__ import annotations

import errno
import sys
import weakref
from _thread import get_ident
from typing import TYPE_CHECKING

from pytest_stateless.guest.observe import databases, hook
from pytest_stateless.guest.observe.anchor import find_anchor
from pytest_stateless.guest.observe.attempts import attempt_of
from pytest_stateless.guest.observe.disk import OwnDisk
from pytest_stateless.guest.observe.origins import snapshot
from pytest_stateless.guest.observe.processes import ProcessWatch
from pytest_stateless.guest.observe.reads import ReadLog
from pytest_stateless.guest.observe.threads import ThreadWatch
from pytest_stateless.guest.observe.unenforced import UnenforcedLog
from pytest_stateless.guest.observe.write_log import WriteLog
from pytest_stateless.model.observation import Observations

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from types import FrameType

    from pytest_stateless.guest.observe.databases import Database
    from pytest_stateless.guest.stack import StackReader
    from pytest_stateless.model.isolation import IsolationName
    from pytest_stateless.model.observation import Phase, Survivor

_TELLING = frozenset({errno.EROFS, errno.ENOSPC, errno.EXDEV, errno.EOVERFLOW})


class Observer:
    """Watches this process between `begin` and `finish`.

    Args:
        stack: Reads stacks and knows what is first-party.
        writable: Absolute folders of service paths; what is read there does not count.
        isolation: What seals this process; None if nothing does.
        is_kernel_refusal: Tells whether EACCES for a path means that it is read-only.
        has_disk: Whether this process has a disk of its own, where writes are discarded with it.
        inherited_bytes: The resident size that this process was born with, which does not count.
    """

    def __init__(  # noqa: PLR0913 (what differs between instances)
        self,
        stack: StackReader,
        writable: tuple[str, ...] = (),
        *,
        isolation: IsolationName | None = None,
        is_kernel_refusal: Callable[[str], bool] | None = None,
        has_disk: bool = False,
        inherited_bytes: int = 0,
    ) -> None:
        self._stack = stack
        self._inherited_bytes = inherited_bytes
        self._has_disk = has_disk
        self._disk: OwnDisk | None = None
        self._writes = WriteLog(stack)
        self._telling = _TELLING
        if is_kernel_refusal is not None:
            self._writes.is_kernel_refusal = is_kernel_refusal
            self._telling |= {errno.EACCES}
        self._reads = ReadLog(writable)
        self._threads = ThreadWatch(stack)
        has_namespace = None if isolation is None else isolation == "namespace"
        self._processes = ProcessWatch(stack, has_namespace=has_namespace)
        self._unenforced = UnenforcedLog(stack, isolation)
        self._survivors: list[Survivor] = []
        self._connecting: dict[int, Database] = {}
        self._phase: Phase = "start"

    def install(self) -> None:
        """Put the taps into this process, if no observer did, and look around."""
        hook.install()
        self._processes.installed()
        if self._has_disk:
            self._disk = self._writes.disk = OwnDisk()

    def begin(self, phase: Phase) -> None:
        """Watch from now on.

        What was seen before and not fetched by `finish` is kept: the start's is fetched with
        the first request's, each with its own phase.

        Args:
            phase: What begins.
        """
        with hook.Deaf():
            hook.wrap_loaded()
            self._threads.begin(phase)
        self._phase = self._writes.phase = phase
        hook.TAPS.active = self

    def finish(self) -> Observations:
        """Look around and stop watching.

        Returns:
            What was seen since the last call; `app_place` is for the caller to fill in.
        """
        hook.TAPS.active = None
        with hook.Deaf():
            survivors = (
                *self._survivors,
                *self._threads.drain(),
                *self._processes.drain(self._phase),
            )
            self._survivors = []
            self._connecting.clear()
            return Observations(
                writes=tuple(find_anchor(write, self._stack) for write in self._writes.drain()),
                reads=self._reads.drain(),
                survivors=tuple(dict.fromkeys(survivors)),
                unenforced=self._unenforced.drain(),
                peak_bytes=max(0, _peak_bytes() - self._inherited_bytes),
            )

    def observe_survivor(self, survivor: Survivor) -> None:
        """Take down something alive that only an adapter can see."""
        self._survivors.append(survivor)

    def note_exception(self, error: BaseException) -> None:
        """Take down an exception that left the app, or that the app logged.

        Args:
            error: The exception with its traceback; what is known of it already is only
                completed.
        """
        hook.guarded(lambda: self._writes.escaped(error))

    def on_read(self, path: object) -> None:
        """Take down a file opened for reading."""
        self._reads.opened(path)

    def on_change(self, event: str, args: tuple[object, ...], frame: FrameType) -> None:
        """Take down a change of the filesystem that will be refused, or discarded."""
        attempt = attempt_of(event, args, frame, self._disk)
        if attempt is not None:
            self._writes.attempted(attempt, snapshot(frame))

    def on_connect(self, database: object, frame: FrameType) -> None:
        """Take down a database's creation that will be refused, or discarded."""
        self._connecting.pop(get_ident(), None)
        named = databases.database_of(database)
        if named is None:
            return
        self._reads.opened(named.path)
        attempt = databases.creation_of(named, self._disk)
        if attempt is not None:
            self._writes.attempted(attempt, snapshot(frame))
        is_refused = attempt is not None and attempt.outcome == "refused"
        if not is_refused and databases.needs_tracing(named, self._disk):
            self._connecting[get_ident()] = named
            self._writes.database_path = named.path

    def on_connected(self, connection: sqlite3.Connection) -> None:
        """Trace what is written to a database on a read-only disk, or on the instance's own."""
        database = self._connecting.pop(get_ident(), None)
        if database is not None:
            _trace(connection, database, weakref.ref(self))

    def on_statement(self, database: Database, statement: str, frame: FrameType) -> None:
        """Take down a statement that will be refused, or discarded."""
        attempt = databases.write_of(database, statement, self._disk)
        if attempt is not None:
            self._writes.attempted(attempt, snapshot(frame))

    def on_thread(self, target: object, args: object, frame: FrameType) -> None:
        """Take down the start of a thread."""
        self._threads.started(target, args, frame)

    def on_process(self, event: str, args: tuple[object, ...], frame: FrameType) -> None:
        """Take down the start of a process."""
        self._unenforced.noticed(event, args, frame)
        self._processes.started(event, args, frame, self._phase)

    def on_unseen(self, event: str, args: tuple[object, ...], frame: FrameType) -> None:
        """Take down what may write unseen."""
        self._unenforced.noticed(event, args, frame)

    def on_raise(self, error: BaseException, frame: FrameType) -> None:
        """Take down an exception on its way."""
        self._writes.raised(error, snapshot(frame))

    def is_interesting(self, error: BaseException) -> bool:
        """Tell whether an exception can have to do with a write."""
        if not self._writes.is_empty:
            return True
        if isinstance(error, OSError):
            return error.errno in self._telling
        return type(error).__module__ == "sqlite3"


def _trace(
    connection: sqlite3.Connection, database: Database, observer: weakref.ref[Observer]
) -> None:
    """Trace a connection's statements; an app's own trace callback, set later, replaces ours."""

    def on_statement(statement: str) -> None:
        watcher = observer()
        if watcher is None or hook.TAPS.active is not watcher:
            return
        frame = sys._getframe(1)  # noqa: SLF001 (the documented way)
        hook.guarded(lambda: watcher.on_statement(database, statement, frame))

    connection.set_trace_callback(on_statement)


def _peak_bytes() -> int:
    try:
        with open("/proc/self/status", "rb") as file:
            status = file.read()
    except OSError:
        return 0
    number = status.partition(b"VmHWM:")[2].split(None, 1)[:1]
    return int(number[0]) * 1024 if number else 0
