"""Holds the README to its word: its commands are what CI runs, and its demo shows what it says.

    python3 .ci/readme.py run HEADING FOLDER   run the command line under a heading of the README
    python3 .ci/readme.py demo                 run the one under `Try it`, and check what it shows

Both in a copy of the project, which holds what a fresh clone would and is removed at the end: the
first in a new folder in FOLDER, the second in one for temporary files. The `python3` of a command
is the interpreter that runs this script. Standard library only: this runs before anything is
installed.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).resolve().parents[1]
DEMO = "Try it"
DEMO_SOURCE = PROJECT / "examples" / "guestbook_db_json" / "guestbook" / "app.py"
DEMO_MARK = 'open("db.json", "w"'
# One test of the demo fails, and that is what it shows.
DEMO_STATUS = 1


def section(heading: str) -> str:
    """Give what stands below a heading of the README.

    Args:
        heading: Of the second level, without its marks.

    Returns:
        The text up to the next heading.
    """
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    found = re.search(
        rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", readme, re.MULTILINE | re.DOTALL
    )
    if found is None:
        sys.exit(f"README.md has no section {heading!r}")
    return found[1]


def block(heading: str, language: str) -> str:
    """Give the only line of the first fenced block of a language below a heading.

    Args:
        heading: Of the section.
        language: What stands behind the block's fence.

    Returns:
        The line.
    """
    found = re.search(rf"^```{language}\n(.+)\n```$", section(heading), re.MULTILINE)
    if found is None:
        sys.exit(f"README.md has no {language} block of one line under {heading!r}")
    return found[1]


@contextmanager
def fresh_copy(parent: str | None) -> Iterator[Path]:
    """Copy what a clone would have, and what is new and not ignored.

    Args:
        parent: Where to make the copy's folder; the system's temporary folder if None.

    Yields:
        The copy's folder, which goes with the context.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        cwd=PROJECT,
        stdout=subprocess.PIPE,
    )
    with tempfile.TemporaryDirectory(prefix="clone-", dir=parent) as folder:
        for name in filter(None, listed.stdout.decode().split("\0")):
            if (PROJECT / name).is_file():
                target = Path(folder, name)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(PROJECT / name, target)
        yield Path(folder)


def run(
    heading: str, *, parent: str | None = None, output: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command below a heading in a fresh copy.

    Args:
        heading: Of the section.
        parent: Where the copy is made.
        output: Where its output goes, as `subprocess.run` takes it; this process' by default.

    Returns:
        The ended command.
    """
    command = block(heading, "console").replace("python3", shlex.quote(sys.executable), 1)
    with fresh_copy(parent) as folder:
        return subprocess.run(
            ["bash", "-c", command],
            check=False,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            text=True,
        )


def demo() -> None:
    """Run the demo, and exit with what is wrong with it."""
    finding = block(DEMO, "text")
    lines = DEMO_SOURCE.read_text(encoding="utf-8").splitlines()
    (number,) = (number for number, line in enumerate(lines, start=1) if DEMO_MARK in line)
    ended = run(DEMO, output=subprocess.PIPE)
    sys.stdout.write(ended.stdout)
    if ended.returncode != DEMO_STATUS:
        sys.exit(f"the demo should exit with {DEMO_STATUS}, not {ended.returncode}")
    if f"guestbook/app.py:{number}: " not in finding:
        sys.exit(f"README.md should show line {number}: {finding}")
    if finding not in ended.stdout:
        sys.exit(f"the demo should show: {finding}")


def main(arguments: list[str]) -> None:
    """Do what the command line says.

    Args:
        arguments: Without the program's name.
    """
    match arguments:
        case ["run", heading, folder]:
            sys.exit(run(heading, parent=folder).returncode)
        case ["demo"]:
            demo()
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
