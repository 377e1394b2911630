"""After a run of pytest, however it ended, nothing of it is left on the machine."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("sandbox")

DEADLINE_S = 60.0
# the other plugins take longer to load than most of these runs
ALONE = ("--disable-plugin-autoload", "-p", "stateless")
MARKER = "STATELESS_TEST_RUN"
APP = """
import os, subprocess, sys, time

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/hang":
        daemon()
        open(os.environ["REACHED"], "w").close()
        while True:
            time.sleep(0.01)
    start_response("200 OK", [])
    return [path.encode()]

def daemon():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            while True:
                time.sleep(0.01)
        os._exit(0)
"""
TESTS = """
import os, pytest

@pytest.mark.parametrize("number", range(6))
def test_fine(stateless, number):
    assert stateless.get(f"/{number}").text == f"/{number}"
"""
FAILING = (
    TESTS
    + """
def test_failing(stateless):
    assert stateless.get("/x").text == "y"

def test_never(stateless):
    stateless.get("/hang")
"""
)
HANGING = (
    TESTS
    + """
@pytest.mark.stateless(timeout="10 min")
def test_hanging(stateless):
    stateless.service_path(os.environ["REACHED"])
    stateless.get("/hang")
"""
)
WITHOUT_PID_NAMESPACE = """
import pytest
from pytest_stateless.forkserver.handle import ZygoteHandle

@pytest.fixture(autouse=True, scope="session")
def without_pid_namespace():
    ZygoteHandle.start = classmethod(lambda cls, _isolation: cls(has_pid=False))
"""


class Suite:
    """A suite to run, known among all others by a variable in its environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.marker = uuid.uuid4().hex
        self.reached = folder / "service" / "reached"
        self.reached.parent.mkdir()
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        (folder / "shop.py").write_text(APP, encoding="utf-8")
        (folder / "pytest.ini").write_text(
            "[pytest]\nstateless_app = shop:app\nfilterwarnings = error\n", encoding="utf-8"
        )
        self.mounts = mounts()
        self.shared_memory = set(Path("/dev/shm").iterdir())

    def write(self, tests: str, conftest: str = "") -> None:
        (self.folder / "test_shop.py").write_text(tests, encoding="utf-8")
        (self.folder / "conftest.py").write_text(conftest, encoding="utf-8")

    def start(self, *options: str) -> subprocess.Popen[str]:
        environ = {
            **os.environ,
            MARKER: self.marker,
            "REACHED": str(self.reached),
            "TMPDIR": str(self.temporary),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        # a file: what outlives pytest would hold a pipe open
        with (self.folder / "output").open("w", encoding="utf-8") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "pytest", *ALONE, *options],
                cwd=self.folder,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )

    def run(self, *options: str) -> int:
        return self.start(*options).wait(DEADLINE_S)

    def output(self) -> str:
        return (self.folder / "output").read_text(encoding="utf-8")

    def await_hanging(self, process: subprocess.Popen[str]) -> None:
        wait_until(lambda: self.reached.exists() or process.poll() is not None)
        assert process.poll() is None, self.output()
        assert len(self.processes()) >= 4, "pytest, two of the zygote, the instance, its daemon"

    def processes(self) -> dict[int, str]:
        """Every process whose environment or working directory is the run's."""
        found: dict[int, str] = {}
        wanted = f"{MARKER}={self.marker}".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if wanted in (folder / "environ").read_bytes():
                    found[int(folder.name)] = (folder / "cmdline").read_text(encoding="utf-8")
        return found

    def assert_nothing_is_left(self) -> None:
        wait_until(lambda: not self.processes())
        assert self.processes() == {}
        assert mounts() == self.mounts
        assert str(self.folder) not in Path("/proc/net/unix").read_text(encoding="utf-8")
        assert set(Path("/dev/shm").iterdir()) <= self.shared_memory
        left = [path for path in self.temporary.rglob("*") if not is_pytest_s_own(path)]
        assert left == []


def wait_until(holds: object) -> None:
    """Wait until it holds, or until nobody would wait any longer."""
    assert callable(holds)
    deadline = time.monotonic() + DEADLINE_S
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)


def mounts() -> str:
    return Path("/proc/self/mountinfo").read_text(encoding="utf-8")


def is_pytest_s_own(path: Path) -> bool:
    """Tell whether pytest's `tmp_path` makes it, which keeps the folders of three runs."""
    return any(part.startswith("pytest-of-") for part in path.parts)


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return Suite(tmp_path)


@pytest.mark.parametrize(
    "options",
    (
        (),
        ("-p", "no:cacheprovider"),
        ("-p", "xdist", "-n", "2"),
        ("-p", "randomly"),
        ("-p", "no:randomly"),
        ("--capture=no",),
    ),
    ids=" ".join,
)
def test_after_a_run_that_passes(suite: Suite, options: tuple[str, ...]) -> None:
    suite.write(TESTS)
    assert suite.run(*options) == 0, suite.output()
    assert "6 passed" in suite.output()
    suite.assert_nothing_is_left()


def test_after_a_run_that_stops_at_its_first_failure(suite: Suite) -> None:
    suite.write(FAILING)
    assert suite.run("-x", "-p", "no:randomly") == pytest.ExitCode.TESTS_FAILED
    assert "1 failed, 6 passed" in suite.output()
    suite.assert_nothing_is_left()


@pytest.mark.parametrize("conftest", ("", WITHOUT_PID_NAMESPACE), ids=("pid", "no-pid"))
def test_after_a_run_that_is_killed_during_a_request(suite: Suite, conftest: str) -> None:
    suite.write(HANGING, conftest)
    process = suite.start("-p", "no:randomly")
    suite.await_hanging(process)
    process.kill()
    process.wait(DEADLINE_S)
    suite.assert_nothing_is_left()


@pytest.mark.parametrize("conftest", ("", WITHOUT_PID_NAMESPACE), ids=("pid", "no-pid"))
def test_after_a_run_that_is_interrupted_during_a_request(suite: Suite, conftest: str) -> None:
    suite.write(HANGING, conftest)
    process = suite.start("-p", "no:randomly")
    suite.await_hanging(process)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(DEADLINE_S) == pytest.ExitCode.INTERRUPTED, suite.output()
    assert "6 passed" in suite.output()
    suite.assert_nothing_is_left()


def test_after_a_run_on_two_workers_that_is_killed(suite: Suite) -> None:
    suite.write(HANGING)
    process = suite.start("-p", "xdist", "-n", "2")
    suite.await_hanging(process)
    process.kill()
    process.wait(DEADLINE_S)
    suite.assert_nothing_is_left()


def test_a_killed_run_is_noticed_by_what_it_had_connected_to(suite: Suite) -> None:
    """The zygote holds no socket of the test process that would stay open without it."""
    suite.write(
        """
import os, socket

def test_connected(stateless):
    line = socket.create_connection(("127.0.0.1", int(os.environ["PORT"])))
    stateless.service_path(os.environ["REACHED"])
    stateless.get("/hang")
"""
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(DEADLINE_S)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PORT", str(server.getsockname()[1]))
            process = suite.start()
        connection, _ = server.accept()
        with connection:
            connection.settimeout(DEADLINE_S)
            suite.await_hanging(process)
            process.kill()
            assert connection.recv(1) == b""
    process.wait(DEADLINE_S)
    suite.assert_nothing_is_left()
