"""The life of an instance, from its seal to its end.

The parent's last act is the fork; everything here happens in the child, which never returns.
"""

from __future__ import annotations

import contextlib
import errno
import faulthandler
import functools
import gc
import os
import socket
import sys
import time
import traceback
from typing import NoReturn

from pytest_stateless.errors import ProtocolError, SandboxSetupError
from pytest_stateless.guest import aws, prefault
from pytest_stateless.guest.channel import Channel
from pytest_stateless.guest.imports import FirstPartyFinder
from pytest_stateless.guest.inherited import Inheritance, run_in_new_context, settle
from pytest_stateless.guest.sealing import (
    lead_programs_to_tmp,
    seal_interpreter,
    seal_process,
)
from pytest_stateless.guest.server import Server
from pytest_stateless.wire.control import EXIT_CHANNEL_LOST, Fork, Seal
from pytest_stateless.wire.framing import Decoder, encode
from pytest_stateless.wire.messages import (
    Begin,
    Call,
    Disconnect,
    Invoke,
    RequestBody,
    Sealed,
    SealFailed,
    Serve,
    Start,
)

_SPAWN_PROGRAM = (
    "import sys; sys.path[:] = {path!r}; "
    "from pytest_stateless.guest.instance import live_after_exec; "
    "live_after_exec({channel}, {private!r}, {order!r})"
)
_NO_CORE = (1, 1)
"""No core dump. A limit of 0 would not stop one that the kernel pipes to a program of the host,
such as systemd-coredump; 1 does, and is too little for a file.

Source: `coredump_pipe` in https://github.com/torvalds/linux/blob/master/fs/coredump.c
"""
_LOST = frozenset({errno.EBADF, errno.ENOTSOCK, errno.ENOTCONN})
_NOTHING = Inheritance()
EXIT_SEAL_FAILED = 70
"""Exit status of an instance that could not be sealed; what failed has been sent before."""
EXIT_FAILED = 71
"""Exit status of an instance in which this package failed; its stderr has the traceback."""


def live(  # noqa: PLR0913 (all that an instance is made of)
    fork: Fork,
    channel_fd: int,
    finder: FirstPartyFinder,
    *,
    is_privileged: bool,
    private: str = "",
    written: tuple[prefault.Range, ...] = (),
) -> NoReturn:
    """Seal this process and serve until the host hangs up.

    Args:
        fork: What to become.
        channel_fd: The socket to the host.
        finder: The import finder of the zygote.
        is_privileged: Whether the process is real root.
        private: The folder that stands for `/tmp`, where none is mounted.
        written: The pages that an instance before this one has written.
    """
    channel = Channel(socket.socket(fileno=channel_fd))
    try:
        seal(fork.seal, is_privileged=is_privileged, private=private)
    except SandboxSetupError as error:
        _fail(channel, error)
    channel.send(Sealed())
    if fork.is_spawn:
        _exec(fork, channel_fd, private)
    gc.enable()
    faulthandler.enable(file=2)
    _serve(channel, finder, written)


def live_inherited(
    channel_fd: int,
    inheritance: Inheritance,
    *,
    failure: SandboxSetupError | None,
    replaced: tuple[str, ...],
) -> NoReturn:
    """Serve what a forked test process has in its memory, until the host hangs up.

    Args:
        channel_fd: The socket to the host.
        inheritance: What to serve.
        failure: Why this process could not be sealed, or None.
        replaced: Files that the test process can write, and this one cannot any more.
    """
    channel = Channel(socket.socket(fileno=channel_fd))
    if failure is not None:
        _fail(channel, failure)
    settle(inheritance)
    channel.send(Sealed(replaced=replaced))
    gc.enable()
    run_in_new_context(functools.partial(_serve, channel, None, inheritance=inheritance))


def live_apart(port: int, private: str) -> NoReturn:
    """Serve in a new interpreter that no fork has made; it calls back over loopback.

    Args:
        port: Where the host listens.
        private: The folder that stands for `/tmp`.

    Raises:
        ProtocolError: The host says something else than what to be.
    """
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(sys.stdin.buffer.read())  # the host's secret
    channel = Channel(connection)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    fork = channel.receive()
    if not isinstance(fork, Fork):
        raise ProtocolError(f"an instance does not begin with {type(fork).__name__}")
    try:
        seal(fork.seal, is_privileged=False, private=private)
    except SandboxSetupError as error:
        _fail(channel, error)
    channel.send(Sealed())
    finder = FirstPartyFinder()
    sys.meta_path.insert(0, finder)
    faulthandler.enable(file=2)
    _serve(channel, finder)


def seal(seal: Seal, *, is_privileged: bool, private: str = "") -> None:
    """Seal this process as an instance.

    Args:
        seal: What its filesystem shall be.
        is_privileged: Whether the process is real root.
        private: The folder that stands for `/tmp`, where none is mounted.

    Raises:
        SandboxSetupError: An operation failed, or the seal does not hold.
    """
    _forbid_core_dumps()
    seal_process(seal, is_privileged=is_privileged, private=private)


def _fail(channel: Channel, error: SandboxSetupError) -> NoReturn:
    channel.send(SealFailed(operation=error.operation, syscall=error.syscall, errno=error.errno))
    os._exit(EXIT_SEAL_FAILED)


def _forbid_core_dumps() -> None:
    try:
        import resource  # noqa: PLC0415 (exists on Unix only)
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CORE, _NO_CORE)


def _exec(fork: Fork, channel_fd: int, private: str) -> NoReturn:
    os.set_inheritable(channel_fd, True)
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONHASHSEED"}
    if fork.hash_seed:
        environ["PYTHONHASHSEED"] = fork.hash_seed
    program = _SPAWN_PROGRAM.format(
        path=sys.path, channel=channel_fd, private=private, order=encode(fork)
    )
    os.execve(sys.executable, [sys.executable, "-B", "-c", program], environ)  # noqa: S606 (our own program)


def live_after_exec(channel_fd: int, private: str, order: bytes) -> NoReturn:
    """Go on in a new interpreter, in a process that is sealed already.

    Args:
        channel_fd: The socket to the host.
        private: The folder that stands for `/tmp`, where none is mounted.
        order: The encoded `Fork` that it came from.
    """
    decoder = Decoder()
    decoder.feed(order)
    for fork in decoder.messages():
        if isinstance(fork, Fork):
            seal_interpreter(fork.seal, private)
    os.set_inheritable(channel_fd, False)
    finder = FirstPartyFinder()
    sys.meta_path.insert(0, finder)
    faulthandler.enable(file=2)
    _serve(Channel(socket.socket(fileno=channel_fd)), finder)


def _serve(
    channel: Channel,
    finder: FirstPartyFinder | None,
    written: tuple[prefault.Range, ...] = (),
    inheritance: Inheritance = _NOTHING,
) -> NoReturn:
    status = 0
    try:
        _begin(channel, finder, written, inheritance)
    except (BrokenPipeError, ConnectionResetError):
        pass  # the host has hung up: it wants no more of this instance
    except SystemExit as error:
        status = _exit_status(error)
    except BaseException as error:  # noqa: BLE001 (told by the exit status and on stderr)
        is_lost = isinstance(error, OSError) and error.errno in _LOST
        status = EXIT_CHANNEL_LOST if is_lost else EXIT_FAILED
        with contextlib.suppress(OSError, ValueError):
            traceback.print_exc()
    finally:
        # what the app registered with atexit does not run: a platform gives no time for it
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(status)


def _exit_status(error: SystemExit) -> int:
    if error.code is None:
        return 0
    return error.code & 0xFF if isinstance(error.code, int) else 1


def _begin(
    channel: Channel,
    finder: FirstPartyFinder | None,
    written: tuple[prefault.Range, ...],
    inheritance: Inheritance,
) -> None:
    """Become what the host says, as often as it says so, and start when told to.

    Raises:
        ProtocolError: The host says something else.
    """
    server: Server | None = None
    begin: Begin | None = None
    while (message := channel.receive()) is not None:
        match message:
            case Begin():
                begin = message
                if server is not None:
                    server.leave()
                _become(begin, finder)
                lead_programs_to_tmp()
                server = Server(
                    begin,
                    channel.send,
                    channel_fd=channel.fileno(),
                    is_disconnected=channel.is_readable,
                    inheritance=inheritance,
                )
                if finder is None:
                    server.tells_modules = False
                else:
                    server.compiled, server.asked = finder.cache.missed, finder.asked
                server.listen()
                prefault.populate(written, channel.is_readable)
            case Start() if server is not None and begin is not None:
                _catch_up(message, begin)
                if server.start(message):
                    _serve_requests(channel, server)
                else:
                    # the host hangs up when it has read why; until then, what it still sends
                    while channel.receive() is not None:
                        pass
                return
            case _:
                raise ProtocolError(f"an instance does not begin with {type(message).__name__}")


def _become(begin: Begin, finder: FirstPartyFinder | None) -> None:
    """Take over the test process's environment and let first-party modules be imported."""
    _change_environment(begin.environ)
    sys.path[:] = begin.sys_path
    sys.argv[:] = begin.argv
    if finder is not None:
        finder.first_party = begin.first_party
        finder.is_refusing = False
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        # `random` and OpenSSL notice a fork by themselves; numpy's legacy generator does not
        numpy_random.seed()


def _catch_up(start: Start, begin: Begin) -> None:
    """Follow what the test has changed since, and what may have been made anew."""
    for name in start.removed:
        os.environ.pop(name, None)
    os.environ.update(start.changed)
    if "TZ" in os.environ and hasattr(time, "tzset"):  # not on Windows
        time.tzset()
    lead_programs_to_tmp()
    if start.aws is not None:
        aws.lead(start.aws)
    os.chdir(begin.cwd)


def _change_environment(environ: dict[str, str]) -> None:
    """Make the environment equal to `environ`, touching only what differs."""
    for name in os.environ.keys() - environ.keys():
        del os.environ[name]
    for name, value in environ.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


def _serve_requests(channel: Channel, server: Server) -> None:
    while (message := channel.receive()) is not None:
        match message:
            case Serve():
                server.handle(message, _receive_body(channel))
            case Invoke() | Call():
                server.handle(message)
            case Disconnect():
                pass  # it crossed the end of the response
            case _:
                raise ProtocolError(f"an instance does not take {type(message).__name__}")


def _receive_body(channel: Channel) -> tuple[bytes, ...]:
    chunks: list[bytes] = []
    while isinstance(message := channel.receive(), RequestBody):
        if message.blob:
            chunks.append(message.blob)
        if message.is_last:
            return tuple(chunks)
    raise ConnectionResetError("the host hung up within a request")
