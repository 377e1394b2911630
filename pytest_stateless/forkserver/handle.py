"""The host's handle of a zygote: start it, tell it what to do, notice when it is gone."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections import deque
from typing import TYPE_CHECKING

from pytest_stateless.errors import (
    InternalError,
    ProtocolError,
    SandboxSetupError,
    SandboxUnavailableError,
)
from pytest_stateless.forkserver import folders, host_ends, launch
from pytest_stateless.forkserver.ends import open_ends
from pytest_stateless.forkserver.refusal import explain
from pytest_stateless.model.coverage_order import without_coverage
from pytest_stateless.wire.control import Preloaded, Ready, Unavailable
from pytest_stateless.wire.framing import Decoder, encode
from pytest_stateless.wire.measured import Measured

if TYPE_CHECKING:
    from pytest_stateless.forkserver.ends import Ends
    from pytest_stateless.model.isolation import IsolationName
    from pytest_stateless.wire.control import Fork, Preload, Signal
    from pytest_stateless.wire.message import Message

_CHUNK_BYTES = 1 << 16
_LAST_WORDS_BYTES = 4096
_END_TIMEOUT_S = 10.0


class ZygoteHandle:
    """A running zygote.

    Thread-safe: a test may send requests from several threads.

    Args:
        has_pid: Whether to give it a PID namespace.
        isolation: What its instances are sealed by.

    Raises:
        SandboxUnavailableError: This machine refuses the namespaces.
    """

    def __init__(self, *, has_pid: bool = True, isolation: IsolationName = "namespace") -> None:
        self.isolation = isolation
        self._lock = threading.Lock()
        self._decoder = Decoder()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the handle)
        self._folder = "" if isolation == "namespace" else folders.make_base()
        self._control, theirs = socket.socketpair()
        program = launch.PROGRAM.format(
            path=sys.path,
            control=theirs.fileno(),
            host_pid=os.getpid(),
            has_pid=has_pid,
            folder=self._folder,
        )
        try:
            self._process = subprocess.Popen(  # noqa: S603 (our own program)
                [sys.executable, "-c", program],
                stdin=subprocess.DEVNULL,
                stdout=self._errors,
                stderr=self._errors,
                pass_fds=[theirs.fileno()],
                env=without_coverage(os.environ),
                # Ctrl-C is for pytest: the zygote ends when pytest says so
                start_new_session=True,
            )
        finally:
            theirs.close()
        self._ends = (self._control.fileno(), self._errors.fileno())
        host_ends.add(*self._ends)
        self.has_pid_namespace = has_pid
        self.measured: deque[Measured] = deque()
        """What coverage.py has measured of modules that were imported ahead; to be taken."""
        self._await_ready()

    @classmethod
    def start(cls, isolation: IsolationName = "namespace") -> ZygoteHandle:
        """Start a zygote with everything that this machine allows.

        Args:
            isolation: What its instances are sealed by.

        Returns:
            A zygote, in a PID namespace of its own where that can be had.

        Raises:
            SandboxUnavailableError: This machine refuses the isolation.
        """
        if sys.platform != "linux":
            raise SandboxUnavailableError(
                f"starting instances by fork needs Linux, and this is {sys.platform}; "
                "--no-stateless serves every request in pytest's own process and enforces nothing"
            )
        if isolation != "namespace":
            return cls(has_pid=False, isolation=isolation)
        try:
            return cls(has_pid=True)
        except SandboxUnavailableError:
            # a container's masked /proc refuses to be mounted again: do without that namespace
            return cls(has_pid=False)

    @property
    def is_alive(self) -> bool:
        """Whether it can be told to fork.

        Its end of the control socket closes with it, a moment before the process above it has
        seen it die.
        """
        if self._process.poll() is not None:
            return False
        try:
            return self._control.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    @property
    def pid(self) -> int:
        """Process id of the zygote's first process, the parent of the zygote."""
        return self._process.pid

    def last_words(self) -> str:
        """Return the end of what the zygote wrote to its standard streams."""
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - _LAST_WORDS_BYTES))
        return self._errors.read().decode(errors="replace").strip()

    def start_instance(self, order: Fork) -> Ends:
        """Ask for an instance.

        Args:
            order: What it shall be.

        Returns:
            What leads to it; all of it has ended if the zygote is gone.
        """
        near, far = open_ends()
        data = encode(order)
        try:
            with self._lock:
                sent = socket.send_fds(self._control, [data], far.descriptors())
                if sent < len(data):
                    self._control.sendall(data[sent:])
        except OSError:
            pass  # the far ends close with us
        finally:
            far.close()
        return near

    def signal(self, message: Signal) -> None:
        """Stop, continue or end an instance; nothing happens if the zygote is gone."""
        with self._lock, contextlib.suppress(OSError):
            self._control.sendall(encode(message))

    def preload(self, message: Preload) -> Preloaded:
        """Have modules imported ahead.

        Args:
            message: Which, and which not.

        Returns:
            What was dropped.

        Raises:
            OSError: The zygote is gone.
            InternalError: It answered something else.
        """
        with self._lock:
            self._control.sendall(encode(message))
            while isinstance(answer := self._receive(), Measured):
                self.measured.append(answer)
        if not isinstance(answer, Preloaded):
            raise InternalError(f"expected Preloaded, the zygote sent {answer!r}")
        return answer

    @property
    def threads(self) -> tuple[str, ...]:
        """None: a zygote has one thread when it forks."""
        return ()

    def let_go(self) -> None:
        """Do nothing: the zygote serves others."""

    def close(self) -> None:
        """End the zygote and with it every instance; waits until they are gone."""
        host_ends.discard(*self._ends)
        self._control.close()
        try:
            self._process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        folders.remove(self._folder)
        self._errors.close()

    def _await_ready(self) -> None:
        try:
            message = self._receive()
        except (OSError, ProtocolError) as error:
            words = self.last_words()
            self.close()
            raise InternalError(f"the zygote did not start: {error}\n{words}") from error
        match message:
            case Ready():
                return
            case Unavailable():
                failed = SandboxSetupError(message.operation, message.syscall, message.errno)
                self.close()
                raise SandboxUnavailableError(explain(self.isolation, str(failed))) from failed
            case _:
                self.close()
                raise InternalError(f"expected Ready, the zygote sent {message!r}")

    def _receive(self) -> Message:
        while True:
            for message in self._decoder.messages():
                return message
            data = self._control.recv(_CHUNK_BYTES)
            if not data:
                raise BrokenPipeError("the zygote is gone")
            self._decoder.feed(data)
