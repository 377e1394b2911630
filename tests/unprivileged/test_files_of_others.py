"""A disk of an instance's own, for an ordinary user whose suite writes what somebody else owns."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import RunUnprivileged

pytestmark = [
    pytest.mark.usefixtures("sandbox"),
    pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user gives no file away"),
]

APP = """
from pathlib import Path

def app(environ, start_response):
    path = Path(environ["PATH_INFO"])
    try:
        with path.open("a") as file:
            file.write("more")
        said = path.read_bytes()
    except OSError as error:
        said = str(error).encode()
    start_response("200 OK", [])
    return [said]
"""
TEST = """
import pathlib
import pytest

def test_a_file_of_its_own(stateless, tmp_path):
    (tmp_path / "own").write_text("one ")
    assert stateless.get(str(tmp_path / "own")).text == "one more"
    assert (tmp_path / "own").read_text() == "one "

def test_a_new_file_in_a_folder_for_all(stateless):
    assert stateless.get("/var/tmp/made-by-an-instance").text == "more"
    assert not pathlib.Path("/var/tmp/made-by-an-instance").exists()

@pytest.mark.parametrize(("path", "error"), [
    (FOLDER + "/theirs", "[Errno 75]"),
    (FOLDER + "/folder/new", "[Errno 75]"),
    ("/etc/new", "[Errno 30]"),
])
def test_what_is_somebody_else_s(stateless, path, error):
    assert stateless.get(path).text.startswith(error)
    (finding,) = stateless.findings
    assert (finding.rule, finding.severity, finding.path, finding.line) == (
        "SL101", "warning", "shop.py", 7
    )
    assert finding.message.endswith(" cannot be appended to here")
    assert "because it is another user's or the machine's" in finding.cause

def test_what_this_user_may_not_write_anywhere_is_no_finding(stateless):
    assert stateless.get("/etc/passwd").text.startswith("[Errno 13]")
    assert stateless.findings == ()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of root's, in which everybody may write a file and a folder of root's."""
    made = Path(tempfile.mkdtemp(prefix="stateless-", dir="/var/tmp"))
    made.chmod(0o755)
    (made / "theirs").write_text("theirs")
    (made / "theirs").chmod(0o666)
    (made / "folder").mkdir()
    (made / "folder").chmod(0o777)
    yield made
    shutil.rmtree(made)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="3.11 sees no error that an app swallows")
def test_what_cannot_be_written_here_is_told_and_fails_nothing(
    run_unprivileged: RunUnprivileged, tmp_path: Path, folder: Path
) -> None:
    (tmp_path / "shop.py").write_text(APP, encoding="utf-8")
    (tmp_path / "test_shop.py").write_text(TEST.replace("FOLDER", repr(str(folder))))
    ini = "[pytest]\nstateless_app = shop:app\nstateless_platform = cloud-run\n"
    (tmp_path / "pytest.ini").write_text(ini, encoding="utf-8")
    ended = run_unprivileged(
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        expose=[tmp_path],
        cwd=tmp_path,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "6 passed" in ended.stdout
    assert (folder / "theirs").read_text() == "theirs"
    assert list((folder / "folder").iterdir()) == []
