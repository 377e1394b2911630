"""A suite of a user's, written and run by a test.

Every inner run is a pytest of its own in a process of its own, with warnings as errors: what the
plugin does in a user's process is held to that too.
"""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TIMEOUT_S = 120


class Project:
    """A user's project: an app, its suite and its pytest.ini."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.path = pytester.path
        self._pytester = pytester

    def ini(self, *lines: str, warnings: str = "error") -> None:
        """Write pytest.ini; a line without a key goes on with the line before it."""
        text = "\n".join(("[pytest]", f"filterwarnings = {warnings}", *lines))
        (self.path / "pytest.ini").write_text(f"{text}\n", encoding="utf-8")

    def write(self, files: Mapping[str, str]) -> None:
        """Write source files; each is dedented."""
        for name, text in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")

    def run(self, *options: str, typed: str = "") -> pytest.RunResult:
        """Run the suite with no plugin but ours, which is faster; `typed` is standard input."""
        alone = ("--disable-plugin-autoload", "-p", "stateless", "-p", "no:cacheprovider")
        return self.run_as_is(*alone, *options, typed=typed)

    def run_as_is(self, *options: str, typed: str = "") -> pytest.RunResult:
        """Run the suite with every plugin that is installed."""
        command = (sys.executable, "-m", "pytest", f"--basetemp={self.path / '.basetemp'}")
        return self.run_program(*command, *options, typed=typed)

    def run_program(self, *command: str | Path, typed: str = "") -> pytest.RunResult:
        """Run any program in the project's folder."""
        return self._pytester.run(*command, stdin=typed.encode(), timeout=TIMEOUT_S)


@pytest.fixture
def project(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    sandbox: None,  # noqa: ARG001 (it skips)
) -> Project:
    """An empty project on a machine that can isolate."""
    monkeypatch.setenv("COLUMNS", "160")  # so that the short summary cuts nothing off
    return Project(pytester)
