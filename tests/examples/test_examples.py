"""Runs each example as its reader would, and expects what its comments promise."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
# the other plugins take longer to load than an example to run
ALONE = ("--disable-plugin-autoload", "-p", "stateless")
GUESTBOOK = EXAMPLES / "guestbook_db_json"

pytestmark = pytest.mark.usefixtures("sandbox")


def run_example(folder: Path, *options: str) -> tuple[str, int]:
    """Run an example's suite from its own folder; return what it printed and its status."""
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *ALONE, "-p", "no:cacheprovider", *options],
        check=False,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    return ended.stdout, ended.returncode


def line_of(source: Path, text: str) -> int:
    """The number of the only line of `source` in which `text` stands."""
    lines = source.read_text(encoding="utf-8").splitlines()
    (number,) = (number for number, line in enumerate(lines, start=1) if text in line)
    return number


def test_the_guestbook_passes_under_plain_pytest() -> None:
    output, status = run_example(GUESTBOOK, "-p", "no:stateless")
    assert status == 0, output
    assert " 2 passed" in output, output


def test_the_guestbook_fails_on_sealed_instances_with_the_line_that_rewrites_its_file() -> None:
    output, status = run_example(GUESTBOOK)
    assert status == 1, output
    assert "1 failed, 1 passed" in output, output
    number = line_of(GUESTBOOK / "guestbook" / "app.py", 'open("db.json", "w"')
    finding = f"guestbook/app.py:{number}: SL105 local-database: db.json is rewritten by requests"
    assert finding in output, output
    assert output.count("SL105 local-database:") == output.count(finding)


def test_the_guestbook_s_report_names_the_request_the_call_and_a_fix() -> None:
    output, _ = run_example(GUESTBOOK)
    assert "POST /entries" in output, output
    assert "open('db.json', 'w')" in output
    assert "Read-only file system" in output
    assert "fix" in output


@pytest.mark.parametrize(
    ("name", "passed"),
    (("thumbnails", 4), ("orders_lambda", 5)),
)
def test_a_clean_example_passes_without_a_finding(name: str, passed: int) -> None:
    output, status = run_example(EXAMPLES / name)
    assert status == 0, output
    assert f" {passed} passed" in output, output
    assert not re.search(r"\bSL\d{3}\b", output), output
