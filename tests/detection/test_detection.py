"""Every app with a known bug is found out, at its line; every clean twin is left in peace."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from catalogue import Case, Expected, read_cases, read_marks

HERE = Path(__file__).resolve().parent
APPS = HERE.parent / "apps"
CASES = read_cases(APPS)
INNER = "test_scenarios.py"
PARTS = 2
OF_FILES = ("quiet", "sl101", "sl103", "sl105", "sl301")
"""What depends on how an instance is sealed."""
DISCARDING = {("platform", "cloud-run"), ("writes", "discard")}
"""Options that give an instance a disk of its own, which takes mounts."""

pytestmark = [pytest.mark.usefixtures("sandbox"), pytest.mark.slow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the inner test of one case came to.

    Attributes:
        has_failed: Whether it failed.
        text: What pytest says of the failure.
        findings: As dictionaries.
        statuses: Of its exchanges.
    """

    has_failed: bool
    text: str
    findings: list[dict[str, Any]]
    statuses: list[int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """All that the inner suite came to.

    Attributes:
        root: Where it ran.
        output: What it printed.
        results: By the name of the case.
    """

    root: Path
    output: str
    results: dict[str, Result]


@pytest.fixture(scope="session")
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run the inner suite, in parts at once, for the cases that this session asks for."""
    base = tmp_path_factory.mktemp("detection")
    wanted = [
        str(item.callspec.params["case"])
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and item.path == Path(__file__)
        and "run" in item.fixturenames
    ]
    return _run(base, list(dict.fromkeys(wanted)))


def _run(base: Path, names: list[str], *options: str) -> Run:
    with ThreadPoolExecutor(PARTS) as pool:
        parts = [(base / str(n), names[n::PARTS], options) for n in range(PARTS)]
        runs = list(pool.map(_run_part, *zip(*parts, strict=True)))
    return Run(
        root=base,
        output="\n".join(one.output for one in runs),
        results={name: result for one in runs for name, result in one.results.items()},
    )


def _run_part(base: Path, names: list[str], more: tuple[str, ...]) -> Run:
    if not names:
        return Run(root=base, output="", results={})
    root, library = base / "project", base / "lib" / "site-packages"
    shutil.copytree(APPS, root, ignore=shutil.ignore_patterns("site-packages", "__pycache__"))
    shutil.copytree(APPS / "site-packages", library)
    shutil.copy(HERE / "catalogue.py", root)
    shutil.copy(HERE / "run_scenarios.py", root / INNER)
    (root / "pytest.ini").write_text("[pytest]\npythonpath = .\n", encoding="utf-8")
    report = base / "report.xml"
    # in their order: an instance's memory includes what the zygote has learnt to import so far
    alone = ("--disable-plugin-autoload", "-p", "stateless", "-p", "no:cacheprovider")
    options = [*alone, f"--junitxml={report}", *more]
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            *options,
            *(f"{INNER}::test_scenario[{n}]" for n in names),
        ],
        check=False,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(library), "HOME": str(root)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    if not report.exists():
        pytest.fail(f"the inner suite has no report:\n{ended.stdout}", pytrace=False)
    return Run(root=root, output=ended.stdout, results=_read(report))


def _read(report: Path) -> dict[str, Result]:
    results = {}
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 (our own report)
        properties = {one.get("name"): one.get("value", "") for one in case.iter("property")}
        failures = [*case.iter("failure"), *case.iter("error")]
        results[case.get("name", "").partition("[")[2].rstrip("]")] = Result(
            has_failed=bool(failures),
            text="\n".join(one.text or "" for one in failures),
            findings=json.loads(properties.get("findings", "[]")),
            statuses=json.loads(properties.get("statuses", "[]")),
        )
    return results


def of(twin: str) -> pytest.MarkDecorator:
    """Parametrize a test with all cases of one kind."""
    cases = [case for case in CASES if case.twin == twin]
    return pytest.mark.parametrize("case", cases, ids=str)


def skip_unless_installed(case: Case) -> None:
    for module in case.scenario.get("needs", ()):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")


def why_unseen(case: Case) -> str:
    """Why this Python cannot show the bug of a case; empty where it can."""
    reasons: dict[str, str] = case.scenario.get("unseen", {})
    version = platform.python_version()
    return next((why for start, why in reasons.items() if version.startswith(start)), "")


def expected(case: Case) -> list[Expected]:
    """What must be found in a case."""
    if why_unseen(case):
        return []
    rule = case.scenario.get("found_in_test")
    if rule:
        lines = (HERE / "run_scenarios.py").read_text(encoding="utf-8").splitlines()
        (number,) = (n for n, line in enumerate(lines, 1) if "stateless.request(" in line)
        return [Expected(rule=rule, path=INNER, line=number, severity="error")]
    marks = read_marks(APPS, case.path)
    if "shown_at_app" in case.scenario:
        lines = (APPS / case.path).read_text(encoding="utf-8").splitlines()
        (number,) = (n for n, line in enumerate(lines, 1) if line.startswith("app = "))
        return [dataclasses.replace(mark, line=number) for mark in marks]
    return marks


def found(result: Result) -> list[Expected]:
    """What was found in a case."""
    return [
        Expected(rule=one["rule"], path=one["path"], line=one["line"], severity=one["severity"])
        for one in result.findings
    ]


@of("bug")
def test_a_bug_is_found_at_its_line_and_nothing_else_is(case: Case, run: Run) -> None:
    skip_unless_installed(case)
    result = run.results[str(case)]
    assert found(result) == expected(case), result.text


# the weaker one must see as much, and the stronger one must not be in anybody's way
@pytest.mark.parametrize(("isolation", "twin"), (("fake", "bug"), ("landlock", "clean")))
def test_without_namespaces_the_same_is_found_and_the_clean_are_left_in_peace(
    tmp_path: Path, isolation: str, twin: str
) -> None:
    cases = [
        case
        for case in CASES
        if case.twin == twin
        and case.app.partition(".")[0] in OF_FILES
        and not DISCARDING & case.scenario.get("options", {}).items()
        and all(importlib.util.find_spec(module) for module in case.scenario.get("needs", ()))
    ]
    names = [str(case) for case in cases]
    results = _run(tmp_path, names, f"--stateless-isolation={isolation}").results
    wrong = {
        str(case): (found(results[str(case)]), results[str(case)].text)
        for case in cases
        if found(results[str(case)]) != (expected(case) if twin == "bug" else [])
    }
    assert wrong == {}
    assert len(results) == len(cases)


@of("bug")
def test_an_error_fails_the_test_and_its_first_line_names_the_place(case: Case, run: Run) -> None:
    skip_unless_installed(case)
    result = run.results[str(case)]
    errors = [one for one in expected(case) if one.severity == "error"]
    assert result.has_failed == bool(errors), result.text
    for error in errors:
        headline = f"{error.path}:{error.line}: {error.rule} "
        # an instance that was killed fails its request: the finding is a section of the report
        is_killed = error.rule in {"SL502", "SL503"}
        assert (run.output if is_killed else result.text).count(headline) == 1, result.text
        assert "Traceback" not in result.text


@of("bug")
def test_a_report_shows_no_long_absolute_path(case: Case, run: Run) -> None:
    skip_unless_installed(case)
    findings = run.results[str(case)].findings
    assert str(run.root) not in json.dumps(findings)


@of("bug")
def test_the_buggy_app_answers_as_its_scenario_says(case: Case, run: Run) -> None:
    skip_unless_installed(case)
    status = case.scenario.get("answers")
    if status is not None:
        assert set(run.results[str(case)].statuses) == {status}


@of("clean")
def test_a_clean_app_gives_no_finding_and_passes(case: Case, run: Run) -> None:
    skip_unless_installed(case)
    result = run.results[str(case)]
    assert result.findings == []
    assert not result.has_failed, result.text


@of("bug")
def test_a_buggy_app_has_one_marked_line_and_a_clean_twin_without(case: Case) -> None:
    is_elsewhere = "found_in_test" in case.scenario
    assert len(read_marks(APPS, case.path)) == (0 if is_elsewhere else 1)
    assert read_marks(APPS, case.path.replace("/bug.py", "/clean.py")) == []


def test_every_app_has_a_scenario() -> None:
    apps = {
        f"{path.parent.parent.name}-{path.parent.name}-{path.stem}"
        for path in APPS.glob("*/*/*.py")
        if path.stem in {"bug", "clean"}
    }
    assert apps == {str(case) for case in CASES}
