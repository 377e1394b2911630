"""The marker: what it takes, what it is stronger than, and on what it can stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from e2e.conftest import Project

APPS = """
    import os, resource, sys, time

    def named(name):
        def app(environ, start_response):
            start_response("200 OK", [])
            return [name.encode()]
        return app

    ini, option, module, klass, function = map(
        named, ("ini", "option", "module", "class", "function")
    )

    def limits(environ, start_response):
        state = os.statvfs("/tmp")
        start_response("200 OK", [])
        size = state.f_blocks * state.f_frsize
        return [f"{size} {os.environ.get('K_SERVICE')}".encode()]

    def slow(environ, start_response):
        time.sleep(30)

    def greedy(environ, start_response):
        kept = []
        while True:
            kept.append(bytearray(b"x" * (1 << 24)))
            time.sleep(0.01)
"""


def test_the_marker_is_stronger_than_the_option_and_that_than_the_ini_file(
    project: Project,
) -> None:
    project.write({
        "apps.py": APPS,
        "test_plain.py": """
            def test_plain(stateless, expected):
                assert stateless.get("/").text == expected
        """,
        "test_marked.py": """
            import pytest

            pytestmark = pytest.mark.stateless(app="apps:module")

            def test_of_the_module(stateless):
                assert stateless.get("/").text == "module"

            @pytest.mark.stateless(app="apps:function")
            def test_of_the_function(stateless):
                assert stateless.get("/").text == "function"

            @pytest.mark.stateless(app="apps:klass")
            class TestClass:
                def test_of_the_class(self, stateless):
                    assert stateless.get("/").text == "class"

                @pytest.mark.stateless(app="apps:function", platform="cloud-run")
                def test_of_the_method(self, stateless):
                    assert stateless.get("/").text == "function"

                @pytest.mark.stateless(platform="cloud-run")
                def test_what_it_does_not_say_stays(self, stateless):
                    assert stateless.get("/").text == "class"

            @pytest.mark.parametrize("name", [
                pytest.param(name, marks=pytest.mark.stateless(app=f"apps:{name}"))
                for name in ("ini", "option")
            ])
            def test_of_the_parameter(stateless, name):
                assert stateless.get("/").text == name
        """,
        "conftest.py": """
            import pytest

            def pytest_addoption(parser):
                parser.addoption("--expected", default="ini")

            @pytest.fixture
            def expected(pytestconfig):
                return pytestconfig.getoption("expected")
        """,
    })
    project.ini("stateless_app = apps:ini")
    result = project.run()
    result.assert_outcomes(passed=8)
    result.stdout.fnmatch_lines(["stateless: app apps:ini (ini file) | platform aws-lambda *"])
    result = project.run("--stateless-app=apps:option", "--expected=option")
    result.assert_outcomes(passed=8)
    result.stdout.fnmatch_lines(["stateless: app apps:option (command line) | *"])


def test_every_keyword_of_the_marker_counts(project: Project) -> None:
    project.write({
        "apps.py": APPS,
        "test_it.py": """
            import pytest
            from pytest_stateless import InstanceDiedError, RequestTimeoutError

            @pytest.mark.stateless(app="apps:limits", tmp_size="7 MB")
            def test_tmp_size(stateless):
                assert stateless.get("/").text == f"{7 << 20} None"

            @pytest.mark.stateless(app="apps:limits", tmp_size=1 << 20)
            def test_a_size_is_a_number_of_bytes_too(stateless):
                assert stateless.get("/").text == f"{1 << 20} None"

            @pytest.mark.stateless(app="apps:limits")
            def test_its_default_is_the_platform_s(stateless):
                assert stateless.get("/").text == f"{512 << 20} None"

            @pytest.mark.stateless(app="apps:limits", platform="cloud-run")
            def test_platform(stateless):
                assert stateless.get("/").text == f"{256 << 20} service"

            @pytest.mark.stateless(
                app="apps:slow", timeout="300 ms", allow="SL502  # what is tested"
            )
            def test_timeout_and_allow(stateless):
                with pytest.raises(RequestTimeoutError, match="no answer within 300 ms"):
                    stateless.get("/")
                assert [finding.rule for finding in stateless.findings] == ["SL502"]

            @pytest.mark.stateless(
                app="apps:greedy", memory="200 MB",
                allow=["SL503  # what is tested", "SL502  # and nothing else"],
            )
            def test_memory(stateless):
                with pytest.raises(InstanceDiedError, match="over 200 MB"):
                    stateless.get("/")
                assert [finding.rule for finding in stateless.findings] == ["SL503"]

            @pytest.mark.stateless(
                app="apps:ini", start="spawn", isolation="namespace", writes="refuse"
            )
            def test_start_isolation_and_writes(stateless):
                assert stateless.get("/").text == "ini"
        """,
    })
    project.ini()
    result = project.run()
    result.assert_outcomes(passed=7)
    result.stdout.fnmatch_lines(["*2 findings accepted (stateless_allow, allow=...)*"])


def test_the_marker_is_described_where_pytest_lists_markers(project: Project) -> None:
    project.ini()
    result = project.run("--markers")
    result.stdout.fnmatch_lines([
        "@pytest.mark.stateless(app, platform, start, *, allow, tmp_size, memory, timeout): *"
    ])
