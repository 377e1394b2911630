"""Starting instances where there is no fork: each is a new interpreter, a child of this process.

For macOS and Windows. Nothing here needs more than sockets, threads and `subprocess`: the channel
is a connection over loopback, proved by a secret, and threads of this process pass on what the
instance writes and how it ended. What no parent process of its own can do is not done: its memory
is not watched from outside, and a process that it has started and that has left its process group
lives on.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
from typing import IO, TYPE_CHECKING

from pytest_stateless.forkserver import folders, host_ends
from pytest_stateless.forkserver.ends import Ends, PipeEnd, SocketEnd
from pytest_stateless.model.coverage_order import without_coverage
from pytest_stateless.wire.control import Exited
from pytest_stateless.wire.framing import encode

if TYPE_CHECKING:
    from pytest_stateless.forkserver.ends import End
    from pytest_stateless.wire.control import Fork, Signal

_PROGRAM = (
    "import sys; sys.path[:] = {path!r}; "
    "from pytest_stateless.guest.instance import live_apart; live_apart({port}, {private!r})"
)
_LOOPBACK = "127.0.0.1"
_CONNECT_TIMEOUT_S = 60.0
_LOOK_S = 0.05
_CHUNK_BYTES = 1 << 16
_SECRET_BYTES = 16


def can_fork() -> bool:
    """Tell whether this system has what instances need to be forked.

    macOS can fork, but its own libraries do not bear it.

    Source: "Changed in version 3.8" of
    https://docs.python.org/3/library/multiprocessing.html#contexts-and-start-methods
    """  # noqa: DOC201 (the summary says it)
    return sys.platform == "linux" and hasattr(os, "fork")


class SpawnHandle:
    """The host's handle of one instance that is a child of this process."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._waiter: threading.Thread | None = None

    @property
    def threads(self) -> tuple[str, ...]:
        """None: a new interpreter counts on no thread."""
        return ()

    def start_instance(self, order: Fork) -> Ends:
        """Start a new interpreter, and wait until it has called back.

        Args:
            order: What it shall be.

        Returns:
            What leads to it; if it died before it called, all of it has ended.
        """
        base = folders.make_base()
        private = folders.make(base, "tmp")
        exit_end, exit_writer = _end()
        with socket.create_server((_LOOPBACK, 0)) as server:
            secret = secrets.token_hex(_SECRET_BYTES)
            process = self._process = _start(order, server.getsockname()[1], private, secret)
            stdout, stderr = _end_of(process.stdout), _end_of(process.stderr)
            self._waiter = _in_thread(_wait, process, exit_writer, base)
            channel = _accept(server, process, secret.encode())
        with contextlib.suppress(OSError):  # reading says so too
            channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            channel.sendall(encode(order))
        channel.setblocking(False)
        host_ends.add(channel.fileno())
        return Ends(channel=channel, stdout=stdout, stderr=stderr, exit=exit_end)

    def signal(self, message: Signal) -> None:
        """Stop, continue or end the instance; nothing happens if it is gone."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        match message.action:
            case "kill":
                _kill(process)
            case "abort":
                process.send_signal(getattr(signal, "SIGABRT", signal.SIGTERM))
            case "freeze" | "thaw":
                name = "SIGSTOP" if message.action == "freeze" else "SIGCONT"
                if hasattr(signal, name):  # elsewhere it runs on between requests
                    process.send_signal(getattr(signal, name))

    def last_words(self) -> str:
        """Return nothing: what it wrote has been passed on."""
        return ""

    def let_go(self) -> None:
        """End the instance if it lives, and wait until nothing of it is left."""
        if self._process is not None and self._waiter is not None:
            _kill(self._process)
            self._waiter.join()
            self._process = None


def _start(order: Fork, port: int, private: str, secret: str) -> subprocess.Popen[bytes]:
    environ = without_coverage(os.environ)
    environ.pop("PYTHONHASHSEED", None)
    if order.hash_seed:
        environ["PYTHONHASHSEED"] = order.hash_seed
    program = _PROGRAM.format(path=sys.path, port=port, private=private)
    process = subprocess.Popen(  # noqa: S603 (our own program)
        [sys.executable, "-B", "-c", program],
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # whoever signals its own process group reaches its own instance only
        start_new_session=os.name == "posix",
    )
    assert process.stdin is not None  # noqa: S101 (it is a pipe)
    with contextlib.suppress(OSError), process.stdin as stdin:
        stdin.write(secret.encode())
    return process


def _accept(
    server: socket.socket, process: subprocess.Popen[bytes], secret: bytes
) -> socket.socket:
    """Take the instance's connection, and nobody else's.

    Returns:
        The connection; one that has ended if the instance has.
    """
    server.settimeout(_LOOK_S)
    waited_s = 0.0
    while process.poll() is None and waited_s < _CONNECT_TIMEOUT_S:
        try:
            connection, _ = server.accept()
        except TimeoutError:
            waited_s += _LOOK_S
            continue
        connection.settimeout(_CONNECT_TIMEOUT_S)
        with contextlib.suppress(OSError):
            if secrets.compare_digest(connection.recv(len(secret), socket.MSG_WAITALL), secret):
                return connection
        connection.close()
    dead, other = socket.socketpair()
    other.close()
    return dead


def _end_of(stream: IO[bytes] | None) -> End:
    """Return where to read what an instance writes: the pipe, or what a thread passes on of it."""
    assert stream is not None  # noqa: S101 (it is a pipe)
    if os.name == "posix":
        with stream:
            return PipeEnd(os.dup(stream.fileno()))
    end, writer = _end()  # there, only sockets can be waited for
    _in_thread(_pump, stream, writer)
    return end


def _end() -> tuple[SocketEnd, socket.socket]:
    near, far = socket.socketpair()
    return SocketEnd(near), far


def _in_thread(function: object, *args: object) -> threading.Thread:
    thread = threading.Thread(
        target=function,  # type: ignore[arg-type]
        args=args,
        name="pytest-stateless",
        daemon=True,
    )
    thread.start()
    return thread


def _pump(source: IO[bytes], target: socket.socket) -> None:
    """Pass on what an instance writes until it ends."""
    with source, target, contextlib.suppress(OSError):
        while data := os.read(source.fileno(), _CHUNK_BYTES):
            target.sendall(data)


def _wait(process: subprocess.Popen[bytes], target: socket.socket, folder: str) -> None:
    """Wait for an instance's end, remove what it left, and tell of it."""
    code = process.wait()
    _kill_group(process)
    folders.remove(folder)
    # as of waitpid(2): a signal's number, or the exit code one byte up
    status = -code if code < 0 else (code & 0xFF) << 8
    with target, contextlib.suppress(OSError):
        target.sendall(encode(Exited(status=status)))


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    _kill_group(process)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
