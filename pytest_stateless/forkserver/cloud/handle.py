"""The host's handle of the cloud: start it, remember what it holds, put it back, end it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any

from pytest_stateless.errors import ProtocolError, ServiceError
from pytest_stateless.forkserver import host_ends
from pytest_stateless.forkserver.cloud.process import PROGRAM, QUIET_S
from pytest_stateless.model.coverage_order import without_coverage
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
from pytest_stateless.wire.framing import Decoder, encode

if TYPE_CHECKING:
    from pytest_stateless.wire.message import Message

_LAST_WORDS_BYTES = 4096
_BACKLOG = 128
_START_TIMEOUT_S = 120.0
_TIMEOUT_S = QUIET_S + 10.0
_END_TIMEOUT_S = 5.0


class _Line:
    """The control socket of one process, and the end that the process is given.

    It ends the process when it is closed.
    """

    def __init__(self) -> None:
        self._sock, self._theirs = socket.socketpair()
        self._decoder = Decoder()
        host_ends.add(self._sock.fileno())

    @property
    def far_end(self) -> int:
        """Descriptor of the process's end, until `let_go`."""
        return self._theirs.fileno()

    def let_go(self) -> None:
        """Close the process's end, which it has by now."""
        self._theirs.close()

    def send(self, message: Message, descriptor: int | None = None) -> None:
        """Send a message, and a descriptor along with it."""
        descriptors = [] if descriptor is None else [descriptor]
        socket.send_fds(self._sock, [encode(message)], descriptors)

    def receive(self, timeout_s: float) -> Message | None:
        """Wait for a message.

        Args:
            timeout_s: For how long, in seconds.

        Returns:
            The message; None if the process is gone, or silent.
        """
        self._sock.settimeout(timeout_s)
        while True:
            for message in self._decoder.messages():
                return message
            try:
                data = self._sock.recv(1 << 16)
            except (TimeoutError, ConnectionError):
                return None
            if not data:
                return None
            self._decoder.feed(data)

    def close(self) -> None:
        """End the process, and wait until it has gone."""
        if self._sock.fileno() == -1:
            return
        self._theirs.close()
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
            self._sock.settimeout(_END_TIMEOUT_S)
            while self._sock.recv(1 << 16):
                pass
        host_ends.discard(self._sock.fileno())
        self._sock.close()


class CloudState:
    """What AWS held at one moment; until it is closed.

    Args:
        line: To the process that holds it.
    """

    def __init__(self, line: _Line) -> None:
        self._line = line

    def fork_worker(self, line: _Line) -> None:
        """Have a worker forked from it.

        Args:
            line: To the worker.

        Raises:
            OSError: The holder is gone.
        """
        self._line.send(ForkWorker(), line.far_end)

    def failure(self) -> Message | None:
        """Return what its process has said before it ended, if anything."""
        return self._line.receive(_END_TIMEOUT_S)

    def close(self) -> None:
        """Forget it."""
        self._line.close()


class CloudHandle:
    """A running cloud; it starts when it is made, and need not have started to be called.

    Attributes:
        port: Of its HTTP endpoint on 127.0.0.1.
        calls_port: Of the endpoint for instances' calls.
    """

    def __init__(self) -> None:
        if not hasattr(socket, "send_fds"):
            raise ServiceError(f"AWS is forked to put it back, and {sys.platform} cannot fork")
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the handle)
        listeners = [socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG) for _ in "ab"]
        self.port, self.calls_port = (sock.getsockname()[1] for sock in listeners)
        line, self._worker = _Line(), _Line()
        self.empty = CloudState(line)
        """What it holds at its start."""
        http, calls = (sock.fileno() for sock in listeners)
        program = PROGRAM.format(path=sys.path, control=line.far_end, http=http, calls=calls)
        self._process = subprocess.Popen(  # noqa: S603 (our own program)
            [sys.executable, "-c", program],
            stdin=subprocess.DEVNULL,
            stdout=self._errors,
            stderr=self._errors,
            pass_fds=[line.far_end, http, calls],
            env=without_coverage(os.environ),
            start_new_session=True,  # Ctrl-C is for pytest
        )
        line.let_go()
        for sock in listeners:
            sock.close()  # once its processes are gone, calls are to be refused
        self._states = [self.empty]
        self._is_started = False
        self._worker_pid = 0
        self.empty.fork_worker(self._worker)
        self._worker.let_go()

    def await_start(self) -> None:
        """Wait until it answers calls.

        Raises:
            ServiceError: It does not start.
        """
        if not self._is_started:
            self._await_worker(_START_TIMEOUT_S)
            self._is_started = True

    @property
    def worker_pid(self) -> int:
        """Process id of the worker, once it answers calls.

        Raises:
            ServiceError: It does not start.
        """
        self.await_start()
        return self._worker_pid

    def count(self) -> int:
        """Return how many calls have come since it was last put back.

        Raises:
            ServiceError: It is gone.
        """
        self.await_start()
        counted = self._ask(CountCalls())
        if not isinstance(counted, Counted):
            raise self._failure("it does not say how often it was called", counted)
        return counted.calls

    def look(self, name: str) -> Any:  # noqa: ANN401 (what JSON has)
        """Return what a service holds of which no call tells.

        Args:
            name: Of the service.

        Raises:
            ServiceError: It is gone, or moto is not as we know it.
        """
        self.await_start()
        looked = self._ask(Look(name=name))
        if not isinstance(looked, Looked):
            raise self._failure("it cannot be looked at", looked)
        return json.loads(looked.blob)

    def snapshot(self) -> CloudState:
        """Remember what it holds.

        Returns:
            The state, to be given to `restore`.

        Raises:
            ServiceError: It is gone, or does not come to rest.
        """
        self.await_start()
        line = _Line()
        try:
            self._worker.send(TakeSnapshot(), line.far_end)
        except OSError:
            line.close()
            raise self._failure("its state could not be kept") from None
        line.let_go()
        answer = line.receive(_TIMEOUT_S)
        if not isinstance(answer, Holding):
            failed = self._worker.receive(_END_TIMEOUT_S) if answer is None else answer
            line.close()
            raise self._failure("its state could not be kept", failed)
        state = CloudState(line)
        self._states.append(state)
        return state

    def restore(self, state: CloudState) -> None:
        """Put it back.

        Args:
            state: What it shall hold.

        Raises:
            ServiceError: That did not work.
        """
        self.await_start()
        self._worker.close()
        self._worker = _Line()
        try:
            state.fork_worker(self._worker)
        except OSError:
            raise self._failure("it could not be put back") from None
        self._worker.let_go()
        self._await_worker(_TIMEOUT_S)

    def forget(self, state: CloudState) -> None:
        """End the process that holds a state.

        Args:
            state: One that is not `empty`, which others may come to need.
        """
        if state in self._states and state is not self.empty:
            self._states.remove(state)
            state.close()

    def close(self) -> None:
        """End all of its processes."""
        self._worker.close()
        for state in self._states:
            state.close()
        try:
            self._process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()

    def _await_worker(self, timeout_s: float) -> None:
        answer = self._worker.receive(timeout_s)
        if not isinstance(answer, Serving):
            raise self._failure("it did not start", answer or self.empty.failure())
        self._worker_pid = answer.pid

    def _ask(self, message: Message) -> Message | None:
        try:
            self._worker.send(message)
            return self._worker.receive(_TIMEOUT_S)
        except (OSError, ProtocolError):
            return None

    def _failure(self, what: str, answer: Message | None = None) -> ServiceError:
        why = answer.text if isinstance(answer, CloudFailed) else self._last_words()
        hint = ""
        if "No module named" in why:
            hint = "; install pytest-stateless[aws]"
        return ServiceError(f"AWS (moto): {what}: {why or 'its process has ended'}{hint}")

    def _last_words(self) -> str:
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - _LAST_WORDS_BYTES))
        return self._errors.read().decode(errors="replace").strip()
