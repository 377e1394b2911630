"""Inside `@given`: each example is a test of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from e2e.conftest import Project


def test_examples_are_served_judged_and_shrunk_one_by_one(project: Project) -> None:
    project.write({
        "shop.py": """
            from pathlib import Path
            import framework

            COUNT = []

            def app(environ, start_response):
                COUNT.append(1)
                number = int(environ["QUERY_STRING"] or 0)
                if number >= 10:
                    try:
                        Path("kept.txt").write_text("kept")
                    except OSError:
                        pass  # swallowed: the answer is the same
                start_response("200 OK", [("Set-Cookie", "seen=1")])
                return [f"{len(COUNT)} {environ.get('HTTP_COOKIE')}".encode()]
        """,
        "venv/framework.py": """
            import time

            time.sleep(0.5)  # a slow import: more than twice Hypothesis's deadline
        """,
        "test_it.py": """
            import pytest
            from hypothesis import given, settings, strategies as st

            numbers = st.integers(0, 9)

            @given(numbers)
            @settings(max_examples=20)
            def test_each_example_starts_anew_and_none_trips_the_deadline(stateless, number):
                assert stateless.exchanges == ()
                assert stateless.get(f"/?{number}").text == "1 None"
                assert stateless.get(f"/?{number}").text == "1 seen=1"
                assert [one.instance for one in stateless.exchanges] == [1, 2]

            @given(st.integers(0, 1000))
            @settings(max_examples=50, database=None, derandomize=True)
            def test_a_finding_fails_its_example_and_shrinks(stateless, number):
                assert stateless.get(f"/?{number}").status_code == 200

            class TestMethods:
                @given(number=numbers)
                @settings(max_examples=3)
                @pytest.mark.parametrize("parameter", [1, 2])
                def test_a_method_with_parameters(self, stateless, parameter, number):
                    assert stateless.get(f"/?{number}").text == "1 None"
                    assert len(stateless.exchanges) == 1

            @given(numbers)
            @settings(max_examples=3)
            @pytest.mark.stateless(allow="SL101  # what is tested")
            def test_the_marker_counts(stateless, number):
                assert stateless.get("/?10").status_code == 200
                assert [finding.rule for finding in stateless.findings] == ["SL101"]

            def test_without_examples_again(stateless):
                assert stateless.get("/").text == "1 None"
                assert len(stateless.exchanges) == 1
        """,
    })
    project.ini("stateless_app = shop:app", "pythonpath = . venv")
    result = project.run("-p", "hypothesispytest")
    result.assert_outcomes(passed=5, failed=1)
    result.stdout.fnmatch_lines([
        "shop.py:11: SL101 write-outside-tmp: kept.txt cannot be written",
        "Failing test case: test_a_finding_fails_its_example_and_shrinks(",
        "*number=10,",
        "FAILED test_it.py::test_a_finding_fails_its_example_and_shrinks - *shop.py:11: SL101*",
    ])
    result.stdout.no_fnmatch_line("*pytest_stateless/*")
