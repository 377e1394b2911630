"""The keeper, its workers, and the holders: one loop for those that serve nothing, one for workers.

A holder has only the thread that forked it. What the others were doing cannot matter: a snapshot
waits until no call is being answered, and threads that wait for the next one hold nothing.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import select
import signal
import socket
import stat
import sys
import warnings
from typing import TYPE_CHECKING, NoReturn

from pytest_stateless.forkserver.cloud.gate import Gate
from pytest_stateless.guest.channel import Channel
from pytest_stateless.wire.cloud import (
    CloudFailed,
    CountCalls,
    Counted,
    ForkWorker,
    Holding,
    Look,
    Looked,
    Serving,
    TakeSnapshot,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_stateless.wire.message import Message

PROGRAM = (
    "import sys; sys.path[:] = {path!r}; "
    "from pytest_stateless.forkserver.cloud.process import main; "
    "main({control}, {http}, {calls})"
)
"""What the new interpreter runs."""
QUIET_S = 20.0
"""How long a snapshot waits for calls to be answered, in seconds; SQS may wait as long."""


class _Replaced(BaseException):
    """This process has been forked, and is something else from here on.

    Args:
        becomes: What it does for the rest of its life.
    """

    def __init__(self, becomes: Callable[[], NoReturn]) -> None:
        self.becomes = becomes


class _Listeners:
    """The listening sockets, of which every process has a copy.

    Args:
        http: Descriptor of the one for HTTP.
        calls: Descriptor of the one for instances' calls.
    """

    def __init__(self, http: int, calls: int) -> None:
        self.http = socket.socket(fileno=http)
        self.calls = socket.socket(fileno=calls)

    def filenos(self) -> set[int]:
        return {self.http.fileno(), self.calls.fileno()}

    def refuse(self) -> None:
        """Refuse every call from now on, in all processes: whoever would answer is gone."""
        for sock in (self.http, self.calls):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RD)


def main(control_fd: int, http_fd: int, calls_fd: int) -> NoReturn:
    """Become the keeper.

    Args:
        control_fd: The socket to pytest.
        http_fd: A listening socket for HTTP.
        calls_fd: A listening socket for instances' calls.
    """
    # forking with threads that only wait is what this is built on
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    # what moto spills to a file would be shared by all copies
    os.environ["MOTO_S3_DEFAULT_KEY_BUFFER_SIZE"] = str(1 << 62)
    from pytest_stateless.forkserver.cloud.app import import_moto  # noqa: PLC0415 (after that)

    if sys.platform == "linux":
        from pytest_stateless.guest.sandbox import linux  # noqa: PLC0415 (it is for Linux only)

        linux.adopt_orphans()
    control = Channel(socket.socket(fileno=control_fd))
    listeners = _Listeners(http_fd, calls_fd)
    try:
        import_moto()
    except ImportError as error:
        control.send(CloudFailed(text=str(error)))
        os._exit(1)
    becomes: Callable[[], NoReturn] = functools.partial(_hold, control, listeners)
    while True:
        try:
            becomes()
        except _Replaced as replaced:
            becomes = replaced.becomes


def _hold(control: Channel, listeners: _Listeners) -> NoReturn:
    """Fork workers from this state as often as that is ordered."""
    wakeup, theirs = socket.socketpair()
    theirs.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    while True:
        readable, _, _ = select.select([control.fileno(), wakeup.fileno()], [], [])
        if wakeup.fileno() in readable:
            wakeup.recv(1 << 16)
            _reap(listeners)
        if control.fileno() not in readable:
            continue
        if not isinstance(control.receive(), ForkWorker):
            os._exit(0)
        own = control.descriptors.popleft()
        if os.fork() == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _close_sockets(keep={own, *listeners.filenos()})
            worker = Channel(socket.socket(fileno=own))
            raise _Replaced(functools.partial(_serve, worker, listeners))
        os.close(own)


def _reap(listeners: _Listeners) -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            if status:  # it did not end because it was told to
                listeners.refuse()


def _serve(control: Channel, listeners: _Listeners) -> NoReturn:
    """Answer calls, and fork a holder when that is ordered."""
    from pytest_stateless.forkserver.cloud.app import start_serving  # noqa: PLC0415 (it has moto)

    gate = Gate()
    start_serving(gate, listeners.http, listeners.calls)
    control.send(Serving(pid=os.getpid()))
    while True:
        message = control.receive()
        if isinstance(message, CountCalls):
            control.send(Counted(calls=gate.passed))
        elif isinstance(message, Look):
            control.send(_look(message.name))
        elif isinstance(message, TakeSnapshot):
            _take_snapshot(control, gate, listeners)
        else:
            os._exit(0)


def _look(name: str) -> Message:
    from pytest_stateless.forkserver.cloud.look import LOOKS  # noqa: PLC0415 (it has moto)

    try:
        return Looked(blob=json.dumps(LOOKS[name]()).encode())
    except Exception as error:  # noqa: BLE001 (moto's insides are not ours)
        return CloudFailed(text=f"{name}: {error!r}")


def _take_snapshot(control: Channel, gate: Gate, listeners: _Listeners) -> None:
    own = control.descriptors.popleft()
    busy = "" if gate.close(QUIET_S) else gate.shown()
    if not busy and os.fork() == 0:
        _close_sockets(keep={own, *listeners.filenos()})
        holder = Channel(socket.socket(fileno=own))
        holder.send(Holding(pid=os.getpid()))
        raise _Replaced(functools.partial(_hold, holder, listeners))
    gate.open()
    os.close(own)
    if busy:
        control.send(CloudFailed(text=f"a call is still being answered: {busy}"))


def _close_sockets(keep: Iterable[int]) -> None:
    """Close what another process goes on with: its control socket, and its connections."""
    kept = set(keep)
    for name in os.listdir("/dev/fd"):
        descriptor = int(name)
        with contextlib.suppress(OSError):
            if descriptor not in kept and stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                os.close(descriptor)
