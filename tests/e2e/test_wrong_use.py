"""Options, markers and calls that cannot be what was meant: what to write instead is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from e2e.conftest import Project

APP = """
    def app(environ, start_response):
        start_response("200 OK", [])
        return [b"ok"]

    async def asgi(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})
"""

TEST = """
    def test_it(stateless):
        assert stateless.get("/").text == "ok"
"""


def refused(project: Project, *options: str, says: str) -> None:
    """Expect pytest to refuse to start, without a line of ours."""
    result = project.run(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = "\n".join((*result.outlines, *result.errlines))
    assert says in text, text
    assert "Traceback" not in text
    assert "pytest_stateless/" not in text


def test_sealing_a_suite_s_own_clients_is_refused_not_ignored(project: Project) -> None:
    project.write({"shop.py": APP, "test_it.py": TEST})
    project.ini("stateless_app = shop:app")
    refused(
        project,
        "--stateless",
        says="--stateless: sealing the requests of a suite's own clients is not in this release; "
        "use the fixture 'stateless'",
    )
    project.write({
        "test_it.py": """
            import pytest

            @pytest.mark.stateless
            def test_it(client):
                pass
        """
    })
    refused(
        project,
        says="test_it.py::test_it: marker stateless on a test without the fixture 'stateless': "
        "sealing the requests of a suite's own clients is not in this release",
    )


@pytest.mark.parametrize(
    ("line", "says"),
    (
        (
            "stateless_isolation = chroot",
            (
                "ini file: isolation = 'chroot': 'chroot' is not known; "
                "choose one of auto, namespace, landlock, fake"
            ),
        ),
        (
            "stateless_platform = heroku",
            "platform 'heroku' is not known; choose one of aws-lambda, cloud-run, vercel, cyclic",
        ),
        (
            "stateless_allow = SL101:shop/*",
            "allow entry 'SL101:shop/*' gives no reason; write it behind a #",
        ),
        ("stateless_env = TABLE", "stateless_env entry 'TABLE' cannot be read; write NAME=value"),
        (
            "stateless_app = shop/app.py",
            "app reference 'shop/app.py' cannot be read; write 'module:attribute'",
        ),
    ),
)
def test_an_ini_option_that_cannot_be_meant(project: Project, line: str, says: str) -> None:
    project.write({"shop.py": APP, "test_it.py": TEST})
    project.ini(line)
    refused(project, says=says)


def test_a_command_line_option_that_cannot_be_meant(project: Project) -> None:
    project.write({"shop.py": APP, "test_it.py": TEST})
    project.ini("stateless_app = shop:app")
    refused(
        project, "--stateless-start=warm", says="command line: start = 'warm': 'warm' is not known"
    )
    refused(project, "--stateless-sart=cold", says="unrecognized arguments: --stateless-sart=cold")


@pytest.mark.parametrize(
    ("marker", "says"),
    (
        (
            "tmpsize='1 MB'",
            (
                "marker: 'tmpsize' is no option; choose one of app, platform, start, isolation, "
                "writes, allow, tmp_size, memory, timeout"
            ),
        ),
        ("tmp_size='12 parsecs'", "tmp_size = '12 parsecs' cannot be read; write a number and a"),
        ("platform='herokku'", "platform 'herokku' is not known; choose one of aws-lambda"),
        ("'shop:app'", "marker stateless takes keywords only, got ('shop:app',)"),
    ),
)
def test_a_marker_that_cannot_be_meant(project: Project, marker: str, says: str) -> None:
    project.write({
        "shop.py": APP,
        "test_it.py": f"""
            import pytest

            @pytest.mark.stateless({marker})
            def test_it(stateless):
                pass
        """,
    })
    project.ini("stateless_app = shop:app")
    refused(project, says=f"test_it.py::test_it: {says}")


def test_calls_that_cannot_be_meant_are_errors_of_ours_that_say_what_to_do(
    project: Project,
) -> None:
    project.write({
        "shop.py": APP,
        "jobs.py": """
            def unpicklable():
                return lambda: None
        """,
        "test_it.py": """
            import pytest
            import jobs
            from pytest_stateless import AdapterError, ConfigurationError

            def expect(kind, *words):
                return pytest.raises(kind, match=".*".join(words))

            def test_hosts_and_schemes(stateless):
                with expect(ConfigurationError, "https://api.example/x: the app under test is at"):
                    stateless.get("https://api.example/x")
                with expect(ConfigurationError, "ftp://localhost/x: the app under test is at"):
                    stateless.get("ftp://localhost/x")
                with expect(ConfigurationError, "base_url 'localhost' cannot be used"):
                    stateless.new_client(base_url="localhost")

            @pytest.mark.anyio
            @pytest.mark.parametrize("anyio_backend", ["asyncio"])
            async def test_hosts_of_the_async_client(stateless, anyio_backend):
                async with stateless.async_client() as client:
                    with expect(ConfigurationError, "https://api.example/x: the app under test"):
                        await client.get("https://api.example/x")

            def test_an_event_for_an_app_that_takes_none(stateless):
                with expect(AdapterError, "shop:app.* is WSGI and takes no events"):
                    stateless.invoke({})

            @pytest.mark.stateless(app="shop:asgi")
            def test_an_event_for_an_asgi_app(stateless):
                with expect(AdapterError, "shop:asgi.* is ASGI and takes no events"):
                    stateless.invoke({})

            def test_functions_that_cannot_travel(stateless):
                with expect(ConfigurationError, "<lambda>", "cannot be pickled", "top level"):
                    stateless.call(lambda: None)
                def closure():
                    pass
                with expect(ConfigurationError, "closure", "cannot be pickled", "top level"):
                    stateless.call(closure)
                with expect(AdapterError, "unpicklable returned function, which cannot be pickled"):
                    stateless.call(jobs.unpicklable)

            def test_nothing_of_it_breaks_the_next_request(stateless):
                assert stateless.get("/").text == "ok"

            @pytest.mark.parametrize("number", range(4))
            def test_that_fails(stateless, number):
                if number == 0:
                    stateless.get("https://api.example/x")
                if number == 1:
                    stateless.invoke({})
                if number == 2:
                    stateless.call(lambda: None)
                if number == 3:
                    stateless.invoke({"when": object()})

            @pytest.fixture
            def wrong(stateless):
                stateless.get("https://api.example/x")

            def test_that_fails_in_set_up(wrong):
                pass
        """,
    })
    project.ini("stateless_app = shop:app")
    result = project.run("-p", "anyio")
    result.assert_outcomes(passed=6, failed=4, errors=1)
    result.stdout.no_fnmatch_line("*pytest_stateless/*")
    result.stdout.no_fnmatch_line("*httpx2/*")
    full = project.run("-p", "anyio", "--full-trace", "-k", "test_that_fails and 0")
    full.stdout.fnmatch_lines(["*pytest_stateless/session/transport.py*"])


def test_without_an_app_the_error_names_the_ways_to_set_one(project: Project) -> None:
    project.write({"test_it.py": TEST})
    project.ini()
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([
        (
            'E *ConfigurationError: no app is set; write stateless_app = "module:attribute" in the '
            "ini file, give --stateless-app, mark the test with @pytest.mark.stateless(app=...), "
            "or give an app object with stateless.use(app), which counts for one test"
        )
    ])
    result.stdout.no_fnmatch_line("*pytest_stateless/*")
