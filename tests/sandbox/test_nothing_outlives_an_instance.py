# What `os` does is what is tested, so it is not done with pathlib.
# ruff: noqa: PTH109, PTH110, PTH119
from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_stateless.errors import InstanceDiedError
from pytest_stateless.forkserver.handle import ZygoteHandle
from pytest_stateless.session.platform import Platform
from pytest_stateless.session.provision import Surroundings
from pytest_stateless.session.settings import Settings
from pytest_stateless.session.stateless import Stateless

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from watched_host import Host

pytest_plugins = ("sealed_instances",)

PROJECT = Path(__file__).resolve().parents[2]
DEADLINE_S = 60.0
ALIVE = "/tmp/alive"
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000


class Lifeline:
    """A server that processes connect to: what it reads ends when the last of them is gone."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(DEADLINE_S)
        self._connection: socket.socket | None = None
        self.port: int = self._server.getsockname()[1]

    def await_daemon(self) -> None:
        self._connection, _ = self._server.accept()
        self._connection.settimeout(DEADLINE_S)
        assert self._connection.recv(5) == b"alive"

    def is_alive(self) -> bool:
        """Tell, at this moment."""
        assert self._connection is not None
        self._connection.setblocking(False)
        try:
            return self._connection.recv(1) != b""
        except BlockingIOError:
            return True
        except ConnectionResetError:
            return False
        finally:
            self._connection.settimeout(DEADLINE_S)

    def await_end(self) -> None:
        """Wait until nobody holds the other end; a survivor makes this time out."""
        assert self._connection is not None
        with contextlib.suppress(ConnectionResetError):
            assert self._connection.recv(1) == b""

    def close(self) -> None:
        self._server.close()
        if self._connection is not None:
            self._connection.close()


@pytest.fixture
def lifeline() -> Iterator[Lifeline]:
    line = Lifeline()
    yield line
    line.close()


def live_on(port: int, target: str) -> None:
    """Tell that this process is alive, and write as soon as it is no longer sealed."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    line = socket.create_connection(("127.0.0.1", port))
    line.send(b"alive")
    Path(ALIVE).touch()
    while True:
        with contextlib.suppress(OSError):
            Path(target).touch()
        time.sleep(0.01)


def start_and_wait(start: Callable[[int, str], None], port: int, target: str) -> None:
    """Start a daemon, and return when it lives: what an instance left may be frozen."""
    start(port, target)
    deadline = time.monotonic() + DEADLINE_S
    while not os.path.exists(ALIVE):
        assert time.monotonic() < deadline
        time.sleep(0.005)


def start_daemon(port: int, target: str) -> None:
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    live_on(port, target)


def start_daemon_that_closes_everything(port: int, target: str) -> None:
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    os.closerange(0, 100)
    live_on(port, target)


def start_daemon_in_namespaces_of_its_own(port: int, target: str) -> None:
    if os.fork():
        return
    ctypes.CDLL(None).unshare(CLONE_NEWUSER | CLONE_NEWNS)
    os.setsid()
    if os.fork():
        os._exit(0)
    live_on(port, target)


def start_program(port: int, target: str) -> None:
    program = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        f"import {Path(__file__).stem} as module; module.live_on({port}, {target!r})"
    )
    spawn("-c", program)


def spawn(*arguments: str) -> None:
    command = [sys.executable, *arguments]
    os.posix_spawn(sys.executable, command, os.environ, setsid=True)


def start_a_tree(port: int, target: str) -> None:
    if os.fork():
        return
    for _ in range(5):
        if os.fork():
            while True:
                time.sleep(60)
    live_on(port, target)


STARTERS = (
    start_daemon,
    start_daemon_that_closes_everything,
    start_daemon_in_namespaces_of_its_own,
    start_program,
    start_a_tree,
)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("start", STARTERS)
def test_a_daemon_lives_as_long_as_its_instance_and_writes_nothing(
    stateless: Stateless, host: Host, lifeline: Lifeline, start: Callable[[int, str], None]
) -> None:
    with stateless.warm():
        stateless.call(start_and_wait, start, lifeline.port, host.scene.new)
        lifeline.await_daemon()
        stateless.call(os.getpid)
        assert lifeline.is_alive()
    lifeline.await_end()
    assert host.changes() == []


def die_of_a_signal(port: int, target: str) -> None:
    start_and_wait(start_daemon, port, target)
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_daemon_of_an_instance_that_died_dies_too(
    stateless: Stateless, host: Host, lifeline: Lifeline
) -> None:
    with pytest.raises(InstanceDiedError, match="SIGKILL"):
        stateless.call(die_of_a_signal, lifeline.port, host.scene.new)
    lifeline.await_daemon()
    lifeline.await_end()
    assert host.changes() == []


def start_daemon_with_a_long_command_line() -> None:
    for _ in range(3):
        spawn("-S", "-c", "import time; time.sleep(600)", "\1" * 100_000)


def test_the_command_lines_of_survivors_do_not_stop_the_zygote(stateless: Stateless) -> None:
    stateless.call(start_daemon_with_a_long_command_line)
    assert stateless.call(os.getcwd) == os.getcwd()


# where a PID namespace cannot be had


@pytest.fixture
def without_pid_namespace(
    sandbox: None,  # noqa: ARG001 (a fixture that skips or fails)
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Platform]:
    start = classmethod(lambda cls, _isolation: cls(has_pid=False))
    monkeypatch.setattr(ZygoteHandle, "start", start)
    platform = Platform(Surroundings(rootdir=str(PROJECT), basetemp=str(tmp_path.parent)))
    platform.configure(Settings())
    yield platform
    platform.close()


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("start", STARTERS)
def test_without_a_pid_namespace_a_daemon_dies_with_its_instance(
    without_pid_namespace: Platform,
    host: Host,
    lifeline: Lifeline,
    start: Callable[[int, str], None],
) -> None:
    stateless = Stateless(without_pid_namespace)
    with stateless.warm():
        stateless.call(start_and_wait, start, lifeline.port, host.scene.new)
        lifeline.await_daemon()
        assert not without_pid_namespace.fleet.zygote().has_pid_namespace
        assert lifeline.is_alive()
    lifeline.await_end()
    assert host.changes() == []


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_without_a_pid_namespace_a_daemon_dies_with_a_killed_zygote(
    without_pid_namespace: Platform, host: Host, lifeline: Lifeline
) -> None:
    stateless = Stateless(without_pid_namespace)
    with stateless.warm():
        stateless.call(start_and_wait, start_daemon, lifeline.port, host.scene.new)
        lifeline.await_daemon()
        first = without_pid_namespace.fleet.zygote().pid
        children = Path(f"/proc/{first}/task/{first}/children").read_text(encoding="ascii")
        os.kill(int(children), signal.SIGKILL)
        lifeline.await_end()
    assert stateless.call(os.getcwd) == os.getcwd()
    assert host.changes() == []


CONNECTIONS: list[socket.socket] = []


def connect(port: int) -> None:
    line = socket.create_connection(("127.0.0.1", port))
    line.send(b"alive")
    CONNECTIONS.append(line)


def test_without_a_pid_namespace_a_frozen_instance_dies_with_the_process_above_the_zygote(
    without_pid_namespace: Platform, lifeline: Lifeline
) -> None:
    stateless = Stateless(without_pid_namespace)
    with stateless.warm():
        stateless.call(connect, lifeline.port)
        lifeline.await_daemon()
        os.kill(without_pid_namespace.fleet.zygote().pid, signal.SIGKILL)
        lifeline.await_end()


def reach_host_processes(pids: list[int], scene_new: str) -> dict[str, str]:
    from attacks import outcome_of

    found: dict[str, str] = {}
    for pid in pids:
        found[f"root of {pid}"] = outcome_of(os.mkdir, f"/proc/{pid}/root{scene_new}")
        cwd = f"/proc/{pid}/cwd/{os.path.basename(scene_new)}"
        found[f"cwd of {pid}"] = outcome_of(os.mkdir, cwd)
        found[f"mem of {pid}"] = outcome_of(os.open, f"/proc/{pid}/mem", os.O_RDWR)
    return found


def test_without_a_pid_namespace_processes_of_the_host_lead_nowhere(
    without_pid_namespace: Platform, host: Host
) -> None:
    stateless = Stateless(without_pid_namespace)
    pids = [os.getpid(), without_pid_namespace.fleet.zygote().pid]
    outcomes = stateless.call(reach_host_processes, pids, host.scene.new)
    assert set(outcomes.values()) <= {"EACCES", "EPERM", "EROFS"}
    assert host.changes() == []
