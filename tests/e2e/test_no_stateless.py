"""Serving in pytest's own process: `--no-stateless`, `--pdb`, `--trace`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from e2e.conftest import Project

SHOP = """
    import os
    from pathlib import Path
    from fastapi import FastAPI

    app = FastAPI()
    COUNT = []

    @app.get("/")
    async def count():
        COUNT.append(1)
        return {"count": len(COUNT), "pid": os.getpid()}

    @app.get("/write")
    def write():
        Path("kept.txt").write_text("kept")
        return "kept"

    @app.get("/fail")
    def fail():
        raise ValueError("no tea")

    def handler(event, context):
        return {"pid": os.getpid(), "left": context.get_remaining_time_in_millis() > 0}

    def pid():
        return os.getpid()
"""

TESTS = """
    import os
    import pytest
    import shop

    @pytest.fixture
    def anyio_backend():
        return "asyncio"

    def test_requests_are_served_here_and_nothing_is_enforced(stateless):
        assert stateless.get("/").json() == {"count": 1, "pid": os.getpid()}
        assert stateless.get("/").json()["count"] == 2
        assert len(shop.COUNT) == 2
        assert stateless.get("/write").status_code == 200
        assert stateless.findings == ()
        assert [one.status for one in stateless.exchanges] == [200, 200, 200]

    def test_what_the_app_raises_is_a_500(stateless):
        assert stateless.get("/fail").status_code == 500
        assert "ValueError: no tea" in stateless.last.exception

    @pytest.mark.anyio
    async def test_the_async_client_inside_a_running_loop(stateless):
        async with stateless.async_client() as client:
            assert (await client.get("/")).json()["pid"] == os.getpid()

    @pytest.mark.stateless(app="shop:handler")
    def test_events(stateless):
        assert stateless.invoke({}) == {"pid": os.getpid(), "left": True}
        assert stateless.get("/").json()["pid"] == os.getpid()

    def test_functions(stateless):
        assert stateless.call(shop.pid) == os.getpid()

    def test_output_and_logs(stateless, capsys):
        print("here")
        stateless.get("/")
        assert capsys.readouterr().out == "here\\n"
"""


def test_everything_is_served_in_this_process_and_said_so(project: Project) -> None:
    project.write({"shop.py": SHOP, "test_it.py": TESTS})
    project.ini("stateless_app = shop:app")
    result = project.run("--no-stateless", "-p", "anyio")
    result.assert_outcomes(passed=6)
    line = "*not enforced: --no-stateless; every request is served in this process*"
    result.stdout.fnmatch_lines([line, "*collected 6 items", "*= stateless =*", line])
    assert (project.path / "kept.txt").read_text(encoding="utf-8") == "kept"


def test_a_debugger_finds_the_app_in_its_process(project: Project) -> None:
    project.write({
        "shop.py": """
            def app(environ, start_response):
                name = "tea"
                breakpoint()
                start_response("200 OK", [])
                return [name.encode()]
        """,
        "test_it.py": """
            def test_it(stateless):
                assert stateless.get("/").text == "coffee"
        """,
    })
    project.ini("stateless_app = shop:app")
    for option, commands in (
        ("--no-stateless", "name = 'coffee'\ncontinue\n"),
        ("--pdb", "name = 'coffee'\ncontinue\n"),
        ("--trace", "continue\nname = 'coffee'\ncontinue\n"),
    ):
        result = project.run(option, typed=commands)
        result.assert_outcomes(passed=1)
        result.stdout.fnmatch_lines([f"*not enforced: {option}*", "*(Pdb)*", "*= stateless =*"])
