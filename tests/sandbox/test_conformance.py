"""That each isolation keeps what the table of isolations says, and lacks what it says it lacks."""

# What `os` does is what is tested, so it is not done with pathlib.
# ruff: noqa: PTH110
from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attacks import ATTACKS, DONE, GAPS, LIBC, attempt_each, check, outcome_of
from each_isolation import settings_of, under_each_isolation
from intrusions import INTRUSIONS, intrude
from watched_host import Host

from pytest_stateless.model.isolation import ISOLATIONS, NAMES, find_isolation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sealed_instances import Sealed

    from pytest_stateless.model.isolation import IsolationName
    from pytest_stateless.session.stateless import Stateless

pytest_plugins = ("sealed_instances",)

TMP_BYTES = 1 << 20
IPC_CREAT, IPC_RMID = 0o1000, 0
BY_PYTHON = {"EROFS", "SQLITE_READONLY", "SQLITE_CANTOPEN"}
BY_THE_KERNEL = {"namespace": BY_PYTHON, "landlock": {*BY_PYTHON, "EACCES"}, "fake": BY_PYTHON}


def lets_through(isolation: IsolationName, gaps: tuple[str, ...]) -> bool:
    return any(find_isolation(isolation).lacks(gap) for gap in gaps)


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[dict[str, Host]]:
    """A watched folder for each attack, every other one below `/tmp`."""
    with tempfile.TemporaryDirectory(prefix="stateless-canary-", dir="/var/tmp") as outside:
        found: dict[str, Host] = {}
        for number, name in enumerate(sorted(ATTACKS)):
            folder = (tmp_path if number % 2 else Path(outside)) / name
            folder.mkdir()
            found[name] = Host(folder)
        yield found


@under_each_isolation
@pytest.mark.parametrize("start", ("cold", "spawn"))
def test_each_attack_is_refused_or_gets_through_a_declared_gap(
    sealed: Sealed, isolation: IsolationName, hosts: dict[str, Host], start: str
) -> None:
    sealed.platform.configure(settings_of(isolation, start=start))
    scenes = {name: host.scene for name, host in hosts.items()}
    outcomes = sealed.stateless.call(attempt_each, scenes)
    wrong: dict[str, object] = {}
    for name, outcome in outcomes.items():
        gaps = GAPS.get(name, ())
        if lets_through(isolation, gaps):
            # a gap that is closed does not belong into the table
            is_right = outcome == DONE
        else:
            refused = BY_THE_KERNEL[isolation] if gaps else BY_PYTHON
            is_right = outcome in refused and hosts[name].changes() == []
        if not is_right:
            wrong[name] = (outcome, hosts[name].changes())
    assert wrong == {}
    assert len(outcomes) == len(ATTACKS)


@under_each_isolation
def test_no_intrusion_gets_through(
    sealed: Sealed, isolation: IsolationName, tmp_path: Path
) -> None:
    host = Host(tmp_path)
    for name in INTRUSIONS:
        assert sealed.stateless.call(intrude, name, host.scene) != DONE, (isolation, name)
        assert host.changes() == []


# what is no attack on files


def find_by_a_program(path: str) -> str:
    ended = subprocess.run(["sh", "-c", f"test -e {path}"], check=False)
    return DONE if ended.returncode == 0 else "not found"


def fill_by_a_program(count: int) -> tuple[str, str]:
    """Have a program write more than fits, then Python code: what came of each."""
    folder = os.environ.get("TMPDIR", "/tmp")
    command = f"head -c {count} /dev/zero >{folder}/big"
    ended = subprocess.run(["sh", "-c", command], check=False, stderr=subprocess.DEVNULL)
    by_program = DONE if ended.returncode == 0 else "refused"
    return by_program, outcome_of(Path("/tmp/more").write_bytes, b"x" * 8192)


def see(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")


def make_a_semaphore(key: int) -> int:
    return check(LIBC.semget(key, 1, IPC_CREAT | 0o600))


def signal_by_a_program(pid: int) -> int:
    return subprocess.run(["sh", "-c", f"kill -9 {pid}"], check=False).returncode


def signal_by_python(pid: int) -> str:
    return outcome_of(os.kill, pid, signal.SIGKILL)


def signal_everybody() -> list[str]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return [outcome_of(os.kill, -1, signal.SIGTERM), outcome_of(os.kill, 0, signal.SIGTERM)]


def signal_a_child() -> int:
    child = subprocess.Popen(["sleep", "60"])
    os.kill(child.pid, signal.SIGKILL)
    return child.wait()


@pytest.fixture
def decoy() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


@under_each_isolation
def test_programs_find_the_host_s_tmp_only_where_that_is_a_gap(
    stateless: Stateless, isolation: IsolationName
) -> None:
    with tempfile.NamedTemporaryFile(dir="/tmp") as file:
        found = stateless.call(find_by_a_program, file.name)
    assert (found == DONE) == lets_through(isolation, ("tmp-of-programs",))


@under_each_isolation
def test_programs_fill_tmp_beyond_its_size_only_where_that_is_a_gap(
    sealed: Sealed, isolation: IsolationName
) -> None:
    sealed.platform.configure(settings_of(isolation, tmp_size="1 MB"))
    by_program, by_python = sealed.stateless.call(fill_by_a_program, 4 * TMP_BYTES)
    assert (by_program == DONE) == lets_through(isolation, ("size-by-programs",))
    assert by_python == "ENOSPC"


@under_each_isolation
def test_processes_of_the_host_are_seen_only_where_that_is_a_gap(
    stateless: Stateless, isolation: IsolationName, decoy: subprocess.Popen[bytes]
) -> None:
    assert stateless.call(see, decoy.pid) == lets_through(isolation, ("shared-machine",))


@under_each_isolation
def test_semaphores_outlive_their_instance_only_where_that_is_a_gap(
    stateless: Stateless, isolation: IsolationName
) -> None:
    key = uuid.uuid4().int & 0x3FFFFFFF
    stateless.call(make_a_semaphore, key)
    stateless.reset()
    left = LIBC.semget(key, 0, 0)
    if left >= 0:
        LIBC.semctl(left, 0, IPC_RMID)
    assert (left >= 0) == lets_through(isolation, ("shared-ipc",))


@under_each_isolation
def test_programs_signal_processes_of_the_host_only_where_that_is_a_gap(
    stateless: Stateless, isolation: IsolationName, decoy: subprocess.Popen[bytes]
) -> None:
    status = stateless.call(signal_by_a_program, decoy.pid)
    assert (status == 0) == lets_through(isolation, ("other-processes",))
    time.sleep(0.05)
    assert (decoy.poll() is not None) == lets_through(isolation, ("other-processes",))


@under_each_isolation
def test_python_code_signals_what_it_has_started_and_nothing_else(
    stateless: Stateless, isolation: IsolationName, decoy: subprocess.Popen[bytes]
) -> None:
    alone = "ESRCH" if isolation == "namespace" else "EPERM"
    assert stateless.call(signal_by_python, decoy.pid) == alone
    assert decoy.poll() is None
    assert stateless.call(signal_by_python, os.getpid()) == alone
    assert stateless.call(signal_a_child) == -signal.SIGKILL
    if isolation != "namespace":
        assert stateless.call(signal_everybody) == ["EPERM", DONE]


PROVEN_ELSEWHERE = {
    "tmp-of-programs", "size-by-programs", "shared-machine", "shared-ipc", "other-processes",
}  # fmt: skip


def test_every_gap_of_the_table_is_tried_and_every_gap_that_is_tried_is_in_the_table() -> None:
    declared = {gap.name for isolation in ISOLATIONS.values() for gap in isolation.gaps}
    assert declared == {gap for gaps in GAPS.values() for gap in gaps} | PROVEN_ELSEWHERE


@pytest.mark.parametrize("name", NAMES)
def test_a_gap_has_one_line_and_an_isolation_with_gaps_says_so_in_the_header(
    name: IsolationName,
) -> None:
    isolation = find_isolation(name)
    assert all("\n" not in gap.text and not gap.text.endswith(".") for gap in isolation.gaps)
    assert bool(isolation.uncovered) == bool(isolation.gaps)


# what is left behind


def litter() -> str:
    Path("/tmp/folder").mkdir()
    Path("/tmp/folder/file").write_text("x", encoding="utf-8")
    Path("/tmp/folder").chmod(0)
    return os.environ.get("TMPDIR", "")


@pytest.mark.parametrize("isolation", ("landlock", "fake"), indirect=True)
def test_the_folder_that_stands_for_tmp_goes_with_its_instance(stateless: Stateless) -> None:
    folder = stateless.call(litter)
    assert folder.startswith(os.path.realpath(tempfile.gettempdir()))
    stateless.reset()
    assert not Path(folder).exists()
    assert Path(folder).parent.exists()


KILLED_SESSION = """
import os, signal, sys
from pathlib import Path
from each_isolation import settings_of
from pytest_stateless.session.platform import Platform
from pytest_stateless.session.provision import Surroundings
from pytest_stateless.session.stateless import Stateless
import test_conformance
platform = Platform(Surroundings(rootdir=os.getcwd(), basetemp=os.getcwd()))
platform.configure(settings_of(sys.argv[1]))
print(Stateless(platform).call(test_conformance.litter_and_live_on), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def litter_and_live_on() -> str:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(600)
        os._exit(0)
    return litter()


@pytest.mark.parametrize("isolation", ("landlock", "fake"), indirect=True)
def test_nothing_is_left_when_pytest_is_killed(isolation: IsolationName) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", KILLED_SESSION, isolation],
        check=False,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    )
    assert ended.returncode == -signal.SIGKILL
    base = Path(ended.stdout.strip()).parent
    assert base.name.startswith("pytest-stateless-")
    deadline = time.monotonic() + 30
    while base.exists() or processes_that_name(str(base)):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def processes_that_name(text: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if text.encode() in path.read_bytes():
                found.append(str(path))
    return found


# what is refused counts, whoever refuses it


def write_by_c_code(path: str) -> None:
    descriptor = LIBC.open(os.fsencode(path), os.O_CREAT | os.O_WRONLY, 0o600)
    if descriptor < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)


@pytest.mark.parametrize("isolation", ("namespace", "landlock"), indirect=True)
def test_a_write_of_c_code_that_the_kernel_refuses_is_a_finding(
    stateless: Stateless, tmp_path: Path
) -> None:
    with pytest.raises(OSError, match="new"):
        stateless.call(write_by_c_code, str(tmp_path / "new"))
    (finding,) = stateless.findings
    assert finding.rule == "SL101"
    assert "new" in finding.message


@pytest.mark.parametrize("isolation", ("landlock",), indirect=True)
def test_what_permissions_refuse_is_no_finding(stateless: Stateless) -> None:
    with pytest.raises(OSError, match="core_pattern"):
        stateless.call(write_by_c_code, "/proc/sys/kernel/core_pattern/x")
    assert stateless.findings == ()
