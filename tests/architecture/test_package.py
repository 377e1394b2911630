"""Holds the package to its shape: what it exports, how large its files are, what it ships."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tokenize
import zipfile
from pathlib import Path

import pytest

import pytest_stateless

PACKAGE = Path(pytest_stateless.__file__).parent
PROJECT = Path(__file__).resolve().parents[2]
SOURCES = sorted(PACKAGE.rglob("*.py"))

MOST_NAMES = 25
MOST_LINES = 400
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b")

# What users may import. To add a name is a promise; to take one away breaks suites.
PUBLIC = (
    "AdapterError",
    "CheckFailed",
    "ColdStartError",
    "ConfigurationError",
    "Exchange",
    "Finding",
    "InstanceDiedError",
    "InstanceError",
    "InternalError",
    "LogRecord",
    "ProtocolError",
    "RULES",
    "RequestTimeoutError",
    "Rule",
    "SandboxError",
    "SandboxSetupError",
    "SandboxUnavailableError",
    "ServiceError",
    "Severity",
    "Stateless",
    "StatelessError",
    "StatelessWarning",
    "Volatile",
)


def test_the_public_names_are_these_and_few() -> None:
    exported = sorted(pytest_stateless.__all__)
    assert exported == sorted(PUBLIC)
    assert len(exported) <= MOST_NAMES


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_can_be_imported_and_is_documented(name: str) -> None:
    exported = getattr(pytest_stateless, name)
    assert not callable(exported) or exported.__doc__


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_is_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_leaves_nothing_to_do(path: Path) -> None:
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)
    comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
    assert [comment for comment in comments if UNFINISHED.search(comment)] == []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder],
        check=False,
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_carries_the_licence_and_the_marker_for_types(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    assert "pytest_stateless/py.typed" in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_the_wheel_carries_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    shipped = {name for name in wheel.namelist() if ".dist-info/" not in name}
    expected = {f"pytest_stateless/{path.relative_to(PACKAGE)}" for path in SOURCES}
    assert shipped == expected | {"pytest_stateless/py.typed"}


def test_the_wheel_registers_the_plugin_under_its_name(wheel: zipfile.ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert wheel.read(name).decode().split() == [
        "[pytest11]",
        "stateless",
        "=",
        "pytest_stateless.plugin",
    ]
