"""What every test of the suite can rely on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

pytest_plugins = ["pytester"]

SANDBOX_REQUIRED = "STATELESS_SANDBOX_REQUIRED"
UNPRIVILEGED = Path(__file__).parent / "unprivileged"
REFUSED_STATUS = 125

# Set by a developer's shell, a CI system or pytest-xdist, and read by the pytest and by the apps
# that tests start.
FOREIGN_VARIABLES = (
    "PYTEST_ADDOPTS",
    "PYTEST_PLUGINS",
    "PYTHONWARNINGS",
    "COVERAGE_PROCESS_START",
    "CI",  # pytest cuts nothing off then
    "BUILD_NUMBER",
)
FOREIGN_PREFIXES = ("AWS_", "PYTEST_XDIST_", "FLASK_", "DJANGO_", "HTTP_PROXY", "HTTPS_PROXY")


class RunUnprivileged(Protocol):
    """Runs a command as an ordinary user and waits for its end."""

    def __call__(
        self, *command: str | Path, expose: Iterable[Path] = (), cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `command`, which may read the project, the interpreter and what `expose` names."""
        ...


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes more than some ten seconds")


@pytest.fixture(autouse=True, scope="session")
def clean_environment() -> Iterator[None]:
    """Take away variables that change what inner runs of pytest and apps do."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in tuple(os.environ):
            if name in FOREIGN_VARIABLES or name.upper().startswith(FOREIGN_PREFIXES):
                monkeypatch.delenv(name)
        yield


@pytest.fixture(scope="session")
def namespace_refusal() -> str:
    """Why this machine refuses to isolate a process; empty where it does not."""
    probe = subprocess.run(
        [sys.executable, UNPRIVILEGED / "probe_namespaces.py"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return probe.stderr.strip() if probe.returncode else ""


@pytest.fixture(scope="session")
def sandbox(namespace_refusal: str) -> None:
    """Require namespaces: skip where the machine has none, or fail where they were promised."""
    if namespace_refusal:
        refuse(f"this machine refuses namespaces ({namespace_refusal})")


@pytest.fixture
def run_unprivileged() -> RunUnprivileged:
    """Run a command as an ordinary user, even where the suite runs as root."""

    def run(
        *command: str | Path, expose: Iterable[Path] = (), cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        exposed = [part for path in expose for part in ("--expose", path)]
        ended = subprocess.run(
            [sys.executable, UNPRIVILEGED / "run_unprivileged.py", *exposed, "--", *command],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=600,
            cwd=cwd,
        )
        if ended.returncode == REFUSED_STATUS:
            refuse(ended.stderr.strip())
        return ended

    return run


def refuse(reason: str) -> None:
    """Skip the running test, or fail it where the environment promised isolation."""
    if os.environ.get(SANDBOX_REQUIRED) == "1":
        pytest.fail(f"{reason}, and {SANDBOX_REQUIRED}=1", pytrace=False)
    pytest.skip(reason)
