"""Other plugins and options of pytest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from e2e.conftest import Project

FILES = {
    "shop.py": """
        from pathlib import Path

        def app(environ, start_response):
            if environ["PATH_INFO"] == "/write":
                try:
                    Path("kept.txt").write_text("kept")
                except OSError:
                    pass
            start_response("200 OK", [])
            return [b"ok"]
    """,
    "test_it.py": """
        import pytest

        @pytest.mark.parametrize("number", range(6))
        def test_served(stateless, number):
            assert stateless.get("/").text == "ok"
            assert len(stateless.exchanges) == 1

        @pytest.mark.parametrize("number", range(2))
        def test_found(stateless, number):
            stateless.get("/write")
    """,
}


def test_workers_of_xdist_share_one_summary(project: Project) -> None:
    project.write(FILES)
    project.ini("stateless_app = shop:app")
    result = project.run("-p", "xdist", "-n", "2")
    result.assert_outcomes(passed=6, failed=2)
    result.stdout.fnmatch_lines([
        "*= stateless =*",
        "8 requests on 8 fresh instances; cold start *",
        "SL101 write-outside-tmp  shop.py:6  2 tests  first test_it.py::test_found*",
    ])
    assert result.stdout.str().count("= stateless =") == 1


def test_a_random_order_changes_nothing(project: Project) -> None:
    project.write(FILES)
    project.ini("stateless_app = shop:app")
    result = project.run_as_is("-p", "no:cacheprovider", "-p", "randomly", "-p", "no:xdist")
    result.assert_outcomes(passed=6, failed=2)
    result.stdout.fnmatch_lines(["Using --randomly-seed=*", "8 requests on 8 fresh instances; *"])


def test_the_first_failure_ends_the_run_where_x_says_so(project: Project) -> None:
    project.write(FILES)
    project.ini("stateless_app = shop:app")
    result = project.run("-x")
    result.assert_outcomes(passed=6, failed=1)
    result.stdout.fnmatch_lines([
        "*= stateless =*",
        "7 requests on 7 fresh instances; *",
        "*stopping after 1 failures*",
    ])


def test_a_suite_that_does_not_use_the_fixture_sees_nothing_of_it(project: Project) -> None:
    project.write({
        "test_it.py": """
            import sys

            def test_it():
                heavy = ("hypothesis", "moto", "boto3", "pyfakefs", "httpx2")
                assert [name for name in heavy if name in sys.modules] == []
        """,
    })
    project.ini()
    result = project.run()
    result.assert_outcomes(passed=1)
    assert not re.search(r"^stateless|= stateless =", result.stdout.str(), re.MULTILINE)


def test_the_plugin_can_be_switched_off(project: Project) -> None:
    project.write({"test_it.py": "def test_it(stateless): pass\n"})
    project.ini()
    result = project.run_as_is("-p", "no:stateless")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["E * fixture 'stateless' not found"])
