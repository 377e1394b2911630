from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import RunUnprivileged

pytestmark = pytest.mark.usefixtures("sandbox")

MACHINE = Path(__file__).with_name("refusing_machine.py")
APP = """
def app(environ, start_response):
    start_response("200 OK", [])
    return [b"hello"]
"""
TEST = """
import pytest
from pytest_stateless.errors import SandboxUnavailableError

def test_the_request(stateless):
    assert stateless.get("/").text == "hello"
"""
PYTEST = (
    sys.executable,
    "-m",
    "pytest",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:randomly",
    "--tb=line",
)


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(APP, encoding="utf-8")
    (tmp_path / "test_shop.py").write_text(TEST, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nstateless_app = shop:app\n", encoding="utf-8")
    return tmp_path


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
    ended = subprocess.run(
        [sys.executable, MACHINE, syscall, str(number), "--", *PYTEST],
        check=False,
        capture_output=True,
        text=True,
        cwd=suite,
    )
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "1 failed" in ended.stdout or "1 error" in ended.stdout
    assert "isolation 'namespace' cannot be had on this machine" in ended.stdout
    assert f"{syscall} failed: [{errno.errorcode[number]}]" in ended.stdout
    assert "isolation none: this machine refuses namespaces" in ended.stdout


def test_a_machine_that_refuses_to_drop_capabilities_serves_nothing(suite: Path) -> None:
    ended = subprocess.run(
        [sys.executable, MACHINE, "capset", str(errno.EPERM), "--", *PYTEST],
        check=False,
        capture_output=True,
        text=True,
        cwd=suite,
    )
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "drop capabilities" in ended.stdout
    assert "capset failed: [EPERM]" in ended.stdout


def test_an_ordinary_user_without_user_namespaces_is_told_so(
    suite: Path, run_unprivileged: RunUnprivileged
) -> None:
    ended = run_unprivileged(
        sys.executable, MACHINE, "--no-user-namespaces", "--", *PYTEST, expose=[suite], cwd=suite
    )
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "isolation 'namespace' cannot be had on this machine" in ended.stdout
    assert "unshare failed: [ENOSPC]" in ended.stdout


def test_the_same_suite_passes_where_nothing_is_refused(suite: Path) -> None:
    ended = subprocess.run(
        PYTEST, check=False, capture_output=True, text=True, cwd=suite, env={**os.environ}
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
