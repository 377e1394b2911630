from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import pytest_stateless

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PROGRAM = Path(__file__).with_name("sealed_program.py")


class Watched:
    """What one or more requests of an app showed."""

    def __init__(self, requests: list[dict[str, Any]], project: Path, stderr: str) -> None:
        self.requests = requests
        self.project = project
        self.stderr = stderr

    @property
    def writes(self) -> list[dict[str, Any]]:
        return [write for request in self.requests for write in request["writes"]]

    @property
    def write(self) -> dict[str, Any]:
        assert len(self.writes) == 1, [w["operation"] for w in self.writes]
        return self.writes[0]

    @property
    def survivors(self) -> list[dict[str, Any]]:
        return [one for request in self.requests for one in request["survivors"]]

    @property
    def survivor(self) -> dict[str, Any]:
        assert len(self.survivors) == 1, self.survivors
        return self.survivors[0]

    def reads(self) -> list[str]:
        paths = [path for request in self.requests for path in request["reads"]]
        return [os.path.relpath(path, self.project) for path in paths]


@pytest.fixture
def watch(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., Watched]:
    """Run `main()` of an app in a sealed child, under an observer."""
    request.getfixturevalue("sandbox")

    def run(
        app: str,
        *,
        files: Mapping[str, str | bytes] | None = None,
        requests: int = 1,
        is_sealed: bool = True,
        has_disk: bool = False,
    ) -> Watched:
        project = tmp_path.resolve() / "project"
        project.mkdir()
        for name, content in {"app.py": textwrap.dedent(app), **(files or {})}.items():
            path = project / name
            path.parent.mkdir(parents=True, exist_ok=True)
            data = content if isinstance(content, bytes) else textwrap.dedent(content).encode()
            path.write_bytes(data)
        root = str(Path(pytest_stateless.__file__).parents[1])
        specification = {
            "project": str(project),
            "requests": requests,
            "is_sealed": is_sealed,
            "has_disk": has_disk,
        }
        # files, since what outlives the child would hold pipes open
        with (tmp_path / "out").open("w+") as out, (tmp_path / "err").open("w+") as err:
            status = subprocess.run(
                [sys.executable, str(PROGRAM), json.dumps(specification)],
                env={**os.environ, "PYTHONPATH": root, "PYTHONDONTWRITEBYTECODE": "1"},
                stdout=out,
                stderr=err,
                timeout=60,
                check=False,
            ).returncode
        stderr = (tmp_path / "err").read_text()
        assert status == 0, stderr
        requests_seen = json.loads((tmp_path / "out").read_text().splitlines()[-1])
        return Watched(requests_seen, project, stderr)

    return run
