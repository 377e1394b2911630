from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import RunUnprivileged

pytestmark = pytest.mark.usefixtures("sandbox")

HERE = Path(__file__).parent
MACHINE = HERE / "refusing_machine.py"
APP = """
from pathlib import Path

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/note":
        Path("/tmp/note").write_text("kept here")
        answer = Path("/tmp/note").read_text().encode()
    elif path == "/keep":
        Path("kept.txt").write_text("gone")
        answer = b"kept"
    else:
        answer = b"hello"
    start_response("200 OK", [])
    return [answer]
"""
TESTS = """
from pathlib import Path

def test_the_request(stateless):
    assert stateless.get("/").text == "hello"

def test_the_note(stateless):
    assert stateless.get("/note").text == "kept here"
    assert not Path("/tmp/note").exists()

def test_what_is_kept(stateless):
    stateless.get("/keep")
"""
PYTEST = (
    sys.executable,
    "-m",
    "pytest",
    "--disable-plugin-autoload",  # the others take longer to load than the suite to run
    "-p",
    "stateless",
    "-p",
    "no:cacheprovider",
    "--tb=line",
)
CONTAINER = "--like-a-container"


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(APP, encoding="utf-8")
    (tmp_path / "test_shop.py").write_text(TESTS, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nstateless_app = shop:app\n", encoding="utf-8")
    return tmp_path


def run_on(suite: Path, *machine: str, options: tuple[str, ...] = ()) -> str:
    """Run the suite on a machine, and return what it says."""
    ended = subprocess.run(
        [sys.executable, MACHINE, *machine, "--", *PYTEST, *options],
        check=False,
        capture_output=True,
        text=True,
        cwd=suite,
    )
    assert ended.returncode == 1, ended.stdout + ended.stderr
    return ended.stdout


def check_summary(said: str, suite: Path) -> None:
    """See that two tests pass, and that the third fails for the write that was refused."""
    assert "1 failed, 2 passed" in said, said
    assert "shop.py:10: SL101 write-outside-tmp: kept.txt cannot be written" in said
    assert "SL101 write-outside-tmp  shop.py:10" in said
    assert not (suite / "kept.txt").exists()


# a machine that refuses what the isolation needs, where that is insisted on


@pytest.mark.parametrize(
    ("syscall", "number"),
    (
        ("unshare", errno.EPERM),
        ("unshare", errno.ENOSPC),
        ("mount", errno.EPERM),
        ("mount_setattr", errno.ENOSYS),
        ("open_tree", errno.EPERM),
        ("move_mount", errno.EPERM),
    ),
)
def test_a_machine_that_refuses_a_call_fails_the_request_and_names_call_and_error(
    suite: Path, syscall: str, number: int
) -> None:
    said = run_on(suite, syscall, str(number), options=("--stateless-isolation=namespace",))
    assert "3 failed" in said or "3 errors" in said
    assert "isolation 'namespace' cannot be had on this machine" in said
    assert f"{syscall} failed: [{errno.errorcode[number]}]" in said
    assert "isolation none: isolation 'namespace' cannot be had" in said
    assert "a seccomp filter is on, as in a container" in said


def test_a_machine_without_landlock_fails_who_insists_on_it(suite: Path) -> None:
    refused = ("landlock_create_ruleset", str(errno.ENOSYS))
    said = run_on(suite, *refused, options=("--stateless-isolation=landlock",))
    assert "isolation 'landlock' cannot be had on this machine" in said
    assert "landlock_create_ruleset failed: [ENOSYS]" in said
    assert "this kernel is too old, or a filter says so" in said
    assert "take what works (stateless_isolation = auto)" in said


def test_a_machine_that_refuses_to_drop_capabilities_serves_nothing(suite: Path) -> None:
    options = ("--stateless-isolation=namespace",)
    said = run_on(suite, "capset", str(errno.EPERM), options=options)
    assert "drop capabilities" in said
    assert "capset failed: [EPERM]" in said
    assert "passed" not in said


def test_an_ordinary_user_without_user_namespaces_is_told_so(
    suite: Path, run_unprivileged: RunUnprivileged
) -> None:
    ended = run_unprivileged(
        sys.executable,
        MACHINE,
        "--no-user-namespaces",
        "--",
        *PYTEST,
        "--stateless-isolation=namespace",
        expose=[suite],
        cwd=suite,
    )
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "isolation 'namespace' cannot be had on this machine" in ended.stdout
    assert "unshare failed: [ENOSPC]" in ended.stdout
    assert "user.max_user_namespaces = 0" in ended.stdout


# what is taken instead, where nobody insists


def test_where_nothing_is_refused_namespaces_are_taken(suite: Path) -> None:
    ended = subprocess.run(
        PYTEST, check=False, capture_output=True, text=True, cwd=suite, env={**os.environ}
    )
    assert "| isolation namespace (kernel, " in ended.stdout
    check_summary(ended.stdout, suite)


def test_where_namespaces_are_refused_landlock_is_taken_and_the_header_says_so(
    suite: Path,
) -> None:
    said = run_on(suite, CONTAINER)
    header = next(line for line in said.splitlines() if line.startswith("stateless: "))
    assert re.search(
        r"\| isolation landlock \(kernel, (root|unprivileged)\); not covered: ", header
    )
    assert "/tmp of programs and C code" in header
    check_summary(said, suite)


def test_where_landlock_is_refused_too_the_interpreter_alone_enforces(suite: Path) -> None:
    said = run_on(suite, CONTAINER, "--no-landlock")
    header = next(line for line in said.splitlines() if line.startswith("stateless: "))
    assert "| isolation fake (Python code only, " in header
    assert "not covered: what programs and C code write" in header
    check_summary(said, suite)


@pytest.mark.parametrize("more", ((), ("--no-landlock",)))
def test_an_ordinary_user_is_served_too(
    suite: Path, run_unprivileged: RunUnprivileged, more: tuple[str, ...]
) -> None:
    ended = run_unprivileged(
        sys.executable, MACHINE, CONTAINER, *more, "--", *PYTEST, expose=[suite], cwd=suite
    )
    isolation = "fake" if more else "landlock"
    assert f"isolation {isolation} (" in ended.stdout, ended.stdout + ended.stderr
    assert ", unprivileged); not covered: " in ended.stdout
    check_summary(ended.stdout, suite)


@pytest.mark.slow
@pytest.mark.parametrize("more", ((), ("--no-landlock",)))
def test_what_is_left_conforms_on_such_a_machine(more: tuple[str, ...]) -> None:
    isolation = "fake" if more else "landlock"
    chosen = f"{isolation} and (attack or signal or folder) and not spawn"
    pytest_here = (*PYTEST, "-q", HERE / "test_conformance.py", "-k", chosen)
    ended = subprocess.run(
        [sys.executable, MACHINE, CONTAINER, *more, "--", *pytest_here],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "STATELESS_SANDBOX_REQUIRED": "1"},
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert re.search(r"\d+ passed, \d+ deselected", ended.stdout)
