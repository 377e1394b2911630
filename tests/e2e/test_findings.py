"""What a finding does to its test."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

if TYPE_CHECKING:
    from e2e.conftest import Project

SHOP = """
    from pathlib import Path
    import vendored
    from legacy import old

    def app(environ, start_response):
        path = environ["PATH_INFO"]
        try:
            if path == "/error":
                Path("kept.txt").write_text("kept")
            elif path == "/legacy":
                old.save()
            elif path == "/warning":
                vendored.cache()
            elif path == "/secret":
                Path("API_KEY=hunter2.txt").write_text("kept")
        except OSError:
            pass
        start_response("200 OK", [])
        return [b"ok"]
"""

FILES = {
    "shop.py": SHOP,
    "legacy/__init__.py": "",
    "legacy/old.py": """
        def save():
            with open("old.txt", "w") as file:
                file.write("kept")
    """,
    # third-party code that falls back by itself
    "venv/vendored.py": """
        def cache():
            try:
                open("cache.bin", "wb").close()
            except OSError:
                pass
    """,
}


def test_a_finding_fails_the_call_phase_of_its_test(project: Project) -> None:
    project.write({
        **FILES,
        "test_it.py": """
            import pytest

            def test_found(stateless):
                assert stateless.get("/error").status_code == 200

            def test_clean(stateless):
                stateless.get("/")

            @pytest.mark.xfail(strict=True, reason="known")
            def test_expected(stateless):
                stateless.get("/error")

            @pytest.mark.xfail(strict=True, reason="mended")
            def test_expected_in_vain(stateless):
                stateless.get("/")

            def test_warned(stateless):
                stateless.get("/warning")

            def test_failed_by_itself(stateless):
                stateless.get("/error")
                assert 1 == 2

            def test_a_secret(stateless):
                stateless.get("/secret")

            @pytest.fixture
            def tidy(stateless):
                yield
                stateless.get("/error")

            def test_found_in_tear_down(tidy):
                pass
        """,
    })
    project.ini("stateless_app = shop:app", "pythonpath = . venv")
    result = project.run_as_is("-p", "no:randomly", "--junitxml=report.xml")
    result.assert_outcomes(passed=3, failed=4, xfailed=1, errors=1)
    result.stdout.fnmatch_lines([
        "* ERROR at teardown of test_found_in_tear_down *",
        "shop.py:9: SL101 write-outside-tmp: kept.txt cannot be written",
        "*_ test_found _*",
        "shop.py:9: SL101 write-outside-tmp: kept.txt cannot be written",
        "*GET /error (request 1, instance 1)",
        "*and the app answered 200 all the same",
        "*_ test_failed_by_itself _*",
        "E       assert 1 == 2",
        "*- stateless findings -*",
        "shop.py:9: SL101 write-outside-tmp: kept.txt cannot be written",
        "*_ test_a_secret _*",
        "shop.py:15: SL101 write-outside-tmp: API_KEY=* cannot be written",
        "*= stateless =*",
        "8 requests on 8 fresh instances; *",
        "SL101 write-outside-tmp * shop.py:9 *",
        "FAILED test_it.py::test_found - Failed: shop.py:9: SL101 write-outside-tmp: kept.txt *",
        "FAILED test_it.py::test_failed_by_itself - assert 1 == 2",
        "ERROR test_it.py::test_found_in_tear_down - Failed: shop.py:9: SL101 *",
    ])
    result.stdout.no_fnmatch_line("*hunter2*")
    suite = ET.parse(project.path / "report.xml").getroot()[0]  # noqa: S314 (our own file)
    failures = {case.get("name"): case.find("failure") for case in suite}
    found = failures["test_found"]
    assert found is not None
    assert "shop.py:9: SL101" in (found.get("message") or "")
    assert failures["test_clean"] is None

    again = project.run_as_is("-p", "no:randomly", "--lf", "-q")
    again.assert_outcomes(failed=4, passed=1, errors=1)


@pytest.mark.parametrize(
    ("fail_on", "failed"),
    (("error", ["error"]), ("warning", ["error", "warning"]), ("never", [])),
)
def test_fail_on_says_what_fails_a_test(project: Project, fail_on: str, failed: list[str]) -> None:
    project.write({
        **FILES,
        "test_it.py": """
            import pytest

            @pytest.mark.parametrize("what", ["error", "warning", "clean"])
            def test_it(stateless, what):
                stateless.get(f"/{what}")
                rules = [(one.rule, one.severity.value) for one in stateless.findings]
                assert rules == ([("SL101", what)] if what != "clean" else [])
        """,
    })
    project.ini("stateless_app = shop:app", "pythonpath = . venv", f"stateless_fail_on = {fail_on}")
    result = project.run("-rA")
    result.assert_outcomes(passed=3 - len(failed), failed=len(failed))
    for what in failed:
        line = f"FAILED test_it.py::test_it[[]{what}[]] - Failed: *: SL101 *"
        result.stdout.fnmatch_lines([line])
    result.stdout.fnmatch_lines(["*= stateless =*", "SL101 write-outside-tmp*"])


def test_findings_are_accepted_with_a_reason(project: Project) -> None:
    project.write({
        **FILES,
        "test_it.py": """
            import pytest

            def test_of_the_ini_file(stateless):
                stateless.get("/legacy")
                assert [finding.path for finding in stateless.findings] == ["legacy/old.py"]

            def test_elsewhere_it_counts(stateless):
                stateless.get("/error")

            @pytest.mark.stateless(allow="SL101:shop.py  # a test of the marker")
            def test_of_the_marker_and_the_ini_file_together(stateless):
                stateless.get("/error")
                stateless.get("/legacy")

            @pytest.mark.stateless(allow=["SL301  # another rule", "SL101:other/*  # other files"])
            def test_another_rule_and_other_files_do_not_help(stateless):
                stateless.get("/error")
        """,
    })
    project.ini(
        "stateless_app = shop:app",
        "pythonpath = . venv",
        "stateless_allow =",
        "    SL101:legacy/*  # gone by spring",
    )
    result = project.run()
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines([
        "3 findings accepted (stateless_allow, allow=...)",
        "FAILED test_it.py::test_elsewhere_it_counts - *",
        "FAILED test_it.py::test_another_rule_and_other_files_do_not_help - *",
    ])
