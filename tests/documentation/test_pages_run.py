"""Follows the pages of the documentation as a reader would, and expects what they show.

A block whose first line is a comment with a file's name is that file. The commands of a console
block are run in the folder with the files of the page so far; a text block that follows is what
they print, with `...` for what is left out. A console block without one must end with status 0.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from documentation.page import DOCS, Block, blocks, read

pytestmark = pytest.mark.usefixtures("sandbox")

FOLLOWED = (
    "tutorial.md",
    "how-to/ci.md",
    "how-to/debug.md",
    "how-to/django.md",
    "how-to/fastapi.md",
    "how-to/flask.md",
    "how-to/lambda.md",
    "how-to/suppress.md",
)
RUN = ("coverage", "pytest")
# What makes an environment, or needs a machine of another kind.
NOT_RUN = (".", "docker", "pip", "python3", "sudo", "tox")
TIMEOUT_S = 120
LEFT_OUT = "..."

VARYING = (
    (re.compile(r"\b\d[\d.]*(e[+-]\d+)? (ms|s)\b"), "N s"),
    (re.compile(r"\b\d[\d.]*s\b"), "Ns"),
    (re.compile(r"0x[0-9a-f]+"), "0xN"),
    (re.compile(r"([=_-])\1{2,}"), r"\1\1\1"),
    (re.compile(r"\((\w+), (root|unprivileged)\)"), r"(\1, user)"),
    (re.compile(r" +$"), ""),
)


def commands(block: Block) -> list[str]:
    """The commands of a console block that are run here."""
    if block.language != "console":
        return []
    return [line for line in block.text.splitlines() if line.split()[0] not in NOT_RUN]


def run(command: str, folder: Path) -> tuple[str, int]:
    """Run a command; return what it printed and its status."""
    environ = os.environ | {
        "COLUMNS": "100",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        # no reader has others
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_ADDOPTS": "-p stateless -p anyio -p xdist -p pytest_cov -p no:cacheprovider",
    }
    ended = subprocess.run(
        ["bash", "-c", command],
        check=False,
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
    )
    return ended.stdout, ended.returncode


def plain(text: str) -> list[str]:
    """The lines without what differs from run to run and from terminal to terminal."""
    lines = text.strip("\n").splitlines()
    for pattern, name in VARYING:
        lines = [pattern.sub(name, line) for line in lines]
    return lines


def missing(shown: str, printed: str) -> list[str]:
    """The first piece of what is shown that was not printed behind the one before; else none."""
    rest = plain(printed)
    for piece in re.split(rf"^\s*{re.escape(LEFT_OUT)}\n", shown, flags=re.MULTILINE):
        wanted = plain(piece)
        size = len(wanted)
        starts = [at for at in range(len(rest)) if rest[at : at + size] == wanted]
        if size and not starts:
            return wanted
        rest = rest[starts[0] + size :] if size else rest
    return []


def follow(page: list[Block], folder: Path) -> list[tuple[Block, str]]:
    """Do what a page says; return each block that is wrong, with what is wrong with it."""
    wrong: list[tuple[Block, str]] = []
    for block, following in zip(page, [*page[1:], None], strict=True):
        if block.file_name:
            path = folder / block.file_name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        for command in commands(block):
            printed, status = run(command, folder)
            if following is not None and following.language == "text":
                # of several commands the last one prints it
                is_last = command == commands(block)[-1]
                lacking = missing(following.text, printed) if is_last else []
            else:
                lacking = [] if status == 0 else ["status 0"]
            if lacking:
                wrong.append((following or block, f"no {lacking} of {command}:\n{printed}"))
    return wrong


@pytest.mark.parametrize("name", FOLLOWED)
def test_a_page_can_be_followed(name: str, tmp_path: Path) -> None:
    page = blocks(read(DOCS / name))
    assert [command for block in page for command in commands(block)], f"{name} runs nothing"
    for block, what in follow(page, tmp_path):
        pytest.fail(f"docs/{name}:{block.line}: {what}")


@pytest.mark.parametrize("name", FOLLOWED)
def test_a_page_s_commands_are_known(name: str) -> None:
    page = blocks(read(DOCS / name))
    assert {line.split()[0] for block in page for line in commands(block)} <= set(RUN)


def test_pages_with_commands_are_followed() -> None:
    others = [page for page in DOCS.rglob("*.md") if str(page.relative_to(DOCS)) not in FOLLOWED]
    for page in others:
        assert [one for one in blocks(read(page)) if one.language == "console"] == [], page


@pytest.mark.parametrize(
    ("shown", "is_there"),
    (
        ("two\nthree\n", True),
        ("one\n...\nthree\n", True),
        ("...\nthree\n", True),
        ("two\n...\none\n", False),
        ("one\nthree\n", False),
        ("two (1.5 ms)\n", False),
        ("=== four in 3.25s ===\n", True),
    ),
)
def test_what_is_shown_is_looked_for_in_order(shown: str, is_there: bool) -> None:  # noqa: FBT001
    printed = "one\ntwo\nthree\n===== four in 0.1s =====\n"
    assert (missing(shown, printed) == []) is is_there
