"""The inner suite: asks each app of the catalogue for its scenario, through the real fixture.

`test_detection.py` copies this file and the catalogue next to the apps and reads the results
from the JUnit report. A test fails here for the findings of its app, as a user's would.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pickle
import shutil
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from catalogue import Case, read_cases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_stateless import Stateless

ROOT = Path(__file__).resolve().parent


def params() -> list[Any]:
    """Make a parameter of each case, with the marker that sets its app and options."""
    found = []
    for case in read_cases(ROOT):
        is_lambda = "\ndef handler(" in (ROOT / case.path).read_text(encoding="utf-8")
        app = f"{case.app}:{'handler' if is_lambda else 'app'}"
        marker = pytest.mark.stateless(app=app, **case.scenario.get("options", {}))
        found.append(pytest.param(case, id=str(case), marks=marker))
    return found


@pytest.fixture
def furnished(
    case: Case, stateless: Stateless, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Put a case's files into the working directory, and take them away."""
    folder = ROOT
    if case.scenario.get("works_elsewhere"):
        folder = tmp_path
        monkeypatch.chdir(folder)
    before = set(folder.iterdir())
    for name, content in _files(case.scenario):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    service = case.scenario.get("service")
    if service:
        stateless.service_path(folder / service)
    yield
    for path in set(folder.iterdir()) - before:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _files(scenario: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    for name, text in scenario.get("files", {}).items():
        yield name, text.encode()
    for name, size in scenario.get("sizes", {}).items():
        yield name, b"x" * size
    for name, sql in scenario.get("databases", {}).items():
        with contextlib.closing(sqlite3.connect(":memory:")) as connection:
            connection.executescript(sql)
            yield name, connection.serialize()
    for name, value in scenario.get("pickles", {}).items():
        yield name, pickle.dumps(value)


def ask(stateless: Stateless, request: str | dict[str, Any], twin: str) -> None:
    """Send one request, or one event."""
    if isinstance(request, str):
        request = {"to": request}
    if "event" in request:
        result = stateless.invoke(request["event"])
        assert twin != "clean" or "errorMessage" not in (result if isinstance(result, dict) else {})
        return
    method, url = request["to"].split()
    options: dict[str, Any] = {}
    if "json" in request:
        options["json"] = request["json"]
    if "upload" in request:
        options["files"] = {request["upload"]: ("picture.png", b"x" * 1000, "image/png")}
    if "body" in request:
        size = request.get("clean_body", request["body"]) if twin == "clean" else request["body"]
        options["content"] = b"x" * size
    response = stateless.request(method, url, **options)
    assert twin != "clean" or response.status_code < 300, response.text


@pytest.mark.usefixtures("furnished")
@pytest.mark.parametrize("case", params())
def test_scenario(
    case: Case, stateless: Stateless, record_property: Callable[[str, object], None]
) -> None:
    try:
        for request in case.scenario["requests"]:
            ask(stateless, request, case.twin)
    finally:
        found = [dataclasses.asdict(finding) for finding in stateless.findings]
        record_property("findings", json.dumps(found))
        record_property("statuses", json.dumps([one.status for one in stateless.exchanges]))
