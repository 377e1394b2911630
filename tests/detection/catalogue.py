"""The catalogue of apps with one known bug each, and of their clean twins.

Below `tests/apps` a folder stands for a rule, and a folder in it for a case: `bug.py` has one
line marked `# BUG: SL105`, `clean.py` differs in the fix. A case without `bug.py` is something
that looks suspicious and is not. `scenarios.toml` says what each case is asked, and what it needs:

requests: In order; `"GET /"`, or a table with `to` and one of `json`, `upload` (the name of a
    file field), `body` (a size in bytes; `clean_body` for the twin); or a table with `event`.
files, sizes, databases, pickles: What lies in the working directory: text, a file of so many
    bytes, SQL that makes a sqlite database, a value.
works_elsewhere: The working directory lies outside of the project.
service: A folder that is declared as a service.
needs: Modules without which the case is skipped.
options: Of the marker.
answers: The status of every answer of the buggy twin, where it matters.
fails_to_start: The buggy twin cannot be imported.
found_in_test: The code of a finding whose place is the test's own line.
shown_at_app: Why the finding is shown where the app is defined, and not at the marked line.
unseen: By the start of a Python version, why the bug cannot be seen there.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_MARK = re.compile(r"# BUG: (?P<rule>SL\d+)(?P<warning> warning)?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The finding that a buggy app must give.

    Attributes:
        rule: Its code.
        path: Relative to the folder of all apps.
        line: 1-based.
        severity: `error` or `warning`.
    """

    rule: str
    path: str
    line: int
    severity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One app of the catalogue.

    Attributes:
        group: The folder of its rule.
        name: Its own folder.
        twin: `bug` or `clean`.
        scenario: What `scenarios.toml` says of it.
    """

    group: str
    name: str
    twin: str
    scenario: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.group}-{self.name}-{self.twin}"

    @property
    def path(self) -> str:
        """The app's source, relative to the folder of all apps."""
        return f"{self.group}/{self.name}/{self.twin}.py"

    @property
    def app(self) -> str:
        """The app as `stateless_app` takes it."""
        return f"{self.group}.{self.name}.{self.twin}"


def read_cases(apps: Path) -> list[Case]:
    """Read the catalogue.

    Args:
        apps: The folder of all apps.

    Returns:
        Every buggy app, each followed by its clean twin.
    """
    return [
        Case(group=table.parent.name, name=name, twin=twin, scenario=scenario)
        for table in sorted(apps.glob("*/scenarios.toml"))
        for name, scenario in tomllib.loads(table.read_text(encoding="utf-8")).items()
        for twin in ("bug", "clean")
        if (table.parent / name / f"{twin}.py").exists()
    ]


def read_marks(apps: Path, path: str) -> list[Expected]:
    """Read what the comments of a source file expect.

    Args:
        apps: The folder of all apps.
        path: Of the file, relative to that folder.

    Returns:
        An entry for each marked line.
    """
    lines = (apps / path).read_text(encoding="utf-8").splitlines()
    return [
        Expected(
            rule=mark["rule"],
            path=path,
            line=number,
            severity="warning" if mark["warning"] else "error",
        )
        for number, line in enumerate(lines, start=1)
        if (mark := _MARK.search(line))
    ]
