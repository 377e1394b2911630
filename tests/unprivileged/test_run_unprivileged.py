from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import RunUnprivileged

PROJECT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("run_unprivileged.py")
PROBE = Path(__file__).with_name("probe_namespaces.py")

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user has nothing to drop")

WHO_AM_I = """
import json, os
lines = open("/proc/self/status").read().splitlines()
status = dict(line.split(":\\t", 1) for line in lines if ":\\t" in line)
print(json.dumps({
    "users": os.getresuid(), "groups": [*os.getgroups(), *os.getresgid()],
    "capabilities": [status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")],
    "bounding": status["CapBnd"], "home": os.environ["HOME"],
}))
"""


class Identity(TypedDict):
    users: list[int]
    groups: list[int]
    capabilities: list[str]
    bounding: str
    home: str


@pytest.fixture
def identity(run_unprivileged: RunUnprivileged) -> Identity:
    told = run_unprivileged(sys.executable, "-c", WHO_AM_I)
    assert told.returncode == 0, told.stderr
    found: Identity = json.loads(told.stdout)
    return found


@pytest.fixture
def closed_folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    yield folder
    folder.chmod(0o700)


@as_root
def test_the_command_runs_as_an_ordinary_user(identity: Identity) -> None:
    assert identity["users"] == [65534] * 3
    assert identity["groups"] == [65534] * 3


@as_root
def test_the_command_has_no_capability_and_cannot_get_one(identity: Identity) -> None:
    assert {int(mask, 16) for mask in identity["capabilities"]} == {0}
    assert int(identity["bounding"], 16) == 0


@as_root
def test_the_command_may_write_its_home_and_tmp_and_nothing_else(
    run_unprivileged: RunUnprivileged,
) -> None:
    told = run_unprivileged(
        sys.executable,
        "-c",
        "import os; print([os.access(p, os.W_OK) for p in (os.environ['HOME'], '/tmp', *'/.')])",
    )
    assert told.stdout == "[True, True, False, False]\n"


@as_root
def test_nothing_that_the_command_writes_to_tmp_is_left(run_unprivileged: RunUnprivileged) -> None:
    path = f"/tmp/left-by-{os.getpid()}"
    assert run_unprivileged(sys.executable, "-c", f"open({path!r}, 'w')").returncode == 0
    assert not Path(path).exists()


def test_no_mount_is_left(run_unprivileged: RunUnprivileged) -> None:
    before = Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    run_unprivileged("true")
    assert Path("/proc/self/mountinfo").read_text(encoding="utf-8") == before


def test_the_command_s_exit_status_is_passed_on(run_unprivileged: RunUnprivileged) -> None:
    assert run_unprivileged(sys.executable, "-c", "raise SystemExit(7)").returncode == 7


def test_an_interpreter_and_a_project_in_closed_folders_are_seen(
    run_unprivileged: RunUnprivileged,
) -> None:
    told = run_unprivileged(
        sys.executable, "-c", "import pytest, sys; print(open(sys.argv[1]).read())", SCRIPT
    )
    assert told.stdout.startswith('"""Runs a command'), told.stderr


@pytest.mark.parametrize("name", ("", "sub/deeper"))
def test_a_folder_beneath_a_closed_one_is_exposed(
    run_unprivileged: RunUnprivileged, closed_folder: Path, name: str
) -> None:
    folder = closed_folder / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "note").write_text("hello")
    told = run_unprivileged("cat", folder / "note", expose=[folder])
    assert told.stdout == "hello", told.stderr


def test_files_that_only_their_owner_may_read_are_exposed(
    run_unprivileged: RunUnprivileged, closed_folder: Path
) -> None:
    program = closed_folder / "program"
    program.write_text("#!/bin/sh\necho hello\n")
    program.chmod(0o700)
    assert run_unprivileged(program, expose=[closed_folder]).stdout == "hello\n"


def test_a_symbolic_link_on_the_way_is_kept(
    run_unprivileged: RunUnprivileged, closed_folder: Path
) -> None:
    real = closed_folder / "real"
    real.mkdir()
    (real / "note").write_text("hello")
    link = closed_folder / "link"
    link.symlink_to("real")
    assert run_unprivileged("cat", link / "note", expose=[link]).stdout == "hello"


def test_the_working_directory_is_kept(
    run_unprivileged: RunUnprivileged, closed_folder: Path
) -> None:
    told = run_unprivileged(
        sys.executable, "-c", "import os; print(os.getcwd())", cwd=closed_folder
    )
    assert told.stdout.strip() == str(closed_folder), told.stderr


@as_root
def test_a_closed_folder_that_nobody_named_stays_closed(
    run_unprivileged: RunUnprivileged, closed_folder: Path
) -> None:
    (closed_folder / "secret").write_text("secret")
    assert run_unprivileged("cat", closed_folder / "secret").returncode != 0


@pytest.mark.usefixtures("sandbox")
def test_the_command_can_isolate_itself_with_a_user_namespace(
    run_unprivileged: RunUnprivileged,
) -> None:
    told = run_unprivileged(sys.executable, PROBE)
    assert told.returncode == 0, told.stderr


@as_root
def test_a_virtual_environment_made_in_a_closed_folder_works(closed_folder: Path) -> None:
    folder = closed_folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    told = subprocess.run(
        [folder / "bin" / "python", SCRIPT, "--", folder / "bin" / "python", "-c", WHO_AM_I],
        check=True,
        capture_output=True,
        text=True,
    )
    assert json.loads(told.stdout)["users"] == [65534] * 3


@as_root
def test_pytest_runs_in_it(run_unprivileged: RunUnprivileged, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "test_one.py").write_text(
        "import os\n\ndef test_one(tmp_path):\n    assert os.getuid() == 65534\n"
    )
    told = run_unprivileged(
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        cwd=project,
    )
    assert told.returncode == 0, told.stdout + told.stderr


@as_root
def test_a_root_user_who_may_not_mount_is_told_which_call_was_refused() -> None:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("needs setpriv")
    refused = subprocess.run(
        [setpriv, "--bounding-set=-sys_admin", sys.executable, SCRIPT, "--", "true"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert refused.returncode == 125
    assert "unshare the mount namespace" in refused.stderr
