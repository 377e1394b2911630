"""Holds an installed plugin that nobody uses to costing nothing at pytest's start."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

# Not one of these is needed before the fixture is.
HEAVY = ("asyncio", "hypothesis", "moto", "boto3", "botocore", "pyfakefs", "httpx2", "tblib")

REPORT_MODULES = """
import json, sys

def pytest_unconfigure(config):
    assert config.pluginmanager.hasplugin("stateless") == (sys.argv[1] == "with")
    with open("modules.json", "w") as file:
        json.dump(sorted(sys.modules), file)
"""

# By hand instead of by entry point: other plugins of the environment import what they like.
START = """
import sys, pytest
plugin = ["-p", "stateless"] if sys.argv[1] == "with" else []
raise SystemExit(pytest.main([*plugin, "-p", "no:cacheprovider", "-q"]))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "conftest.py").write_text(REPORT_MODULES, encoding="utf-8")
    (tmp_path / "test_one.py").write_text("def test_one(): pass\n", encoding="utf-8")
    return tmp_path


def modules_of_a_run(project: Path, monkeypatch: pytest.MonkeyPatch, plugin: str) -> set[str]:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    ended = subprocess.run(
        [sys.executable, "-c", START, plugin],
        check=False,
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return set(json.loads((project / "modules.json").read_text(encoding="utf-8")))


def test_an_unused_plugin_imports_nothing_heavy(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_plugin = modules_of_a_run(project, monkeypatch, "with")
    without = modules_of_a_run(project, monkeypatch, "without")
    assert "pytest_stateless" in with_plugin
    assert {name for name in with_plugin - without if name.split(".")[0] in HEAVY} == set()


def test_an_unused_plugin_imports_only_its_own_modules_and_the_standard_library(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_plugin = modules_of_a_run(project, monkeypatch, "with")
    without = modules_of_a_run(project, monkeypatch, "without")
    added = {name.split(".")[0] for name in with_plugin - without}
    assert added - set(sys.stdlib_module_names) <= {"pytest_stateless"}
