"""What a session says and does under another isolation than namespaces."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from e2e.conftest import Project

SHOP = {
    "shop.py": """
        import ctypes
        import os
        import sqlite3
        import subprocess
        import sys
        from pathlib import Path

        def program():
            subprocess.run(["true"], check=True)

        def shell():
            os.system("true")

        def c_code():
            ctypes.CDLL(None)

        def database():
            with sqlite3.connect("/tmp/shop.db") as connection:
                connection.execute("create table if not exists cart (sku text)")
            return str(Path("/tmp/shop.db").exists())

        def fill():
            with open("/tmp/big", "wb") as file:
                for _ in range(64):
                    file.write(b"x" * 65536)

        def detours():
            return str(any(name.startswith("pytest_stateless.guest.sandbox.detour")
                           for name in sys.modules))

        def app(environ, start_response):
            said = globals()[environ["PATH_INFO"].strip("/")]()
            start_response("200 OK", [])
            return [(said or "ok").encode()]
    """,
    "test_shop.py": """
        import pytest

        @pytest.mark.parametrize("path", ("program", "shell", "c_code", "program"))
        def test_passes(stateless, path):
            assert stateless.get(f"/{path}").text == "ok"

        def test_database(stateless):
            assert stateless.get("/database").text == "True"
    """,
}


def test_what_the_interpreter_cannot_enforce_is_told_once_for_each_place(project: Project) -> None:
    project.ini("stateless_app = shop:app", "stateless_isolation = fake")
    project.write(SHOP)
    result = project.run()
    result.assert_outcomes(passed=5)
    result.stdout.fnmatch_lines([
        "stateless: * | isolation fake (Python code only, *); not covered: *",
        "no findings",
        "not enforced by isolation fake: programs that are started *",
        "    shop.py:9  subprocess.Popen('true')",
        "    shop.py:12  os.system('true')",
        "not enforced by isolation fake: C code *",
        "    shop.py:15  ctypes.CDLL()",
    ])
    assert str(result.stdout).count("shop.py:9 ") == 1


def test_what_the_kernel_enforces_is_not_told(project: Project) -> None:
    project.ini("stateless_app = shop:app", "stateless_isolation = landlock")
    project.write(SHOP)
    result = project.run()
    result.assert_outcomes(passed=5)
    result.stdout.no_fnmatch_line("*not enforced*")


def test_a_session_may_have_several_isolations_and_each_test_its_own(project: Project) -> None:
    project.ini("stateless_app = shop:app")
    project.write({
        **SHOP,
        "test_shop.py": """
            import pytest

            @pytest.mark.parametrize("path, said", (
                pytest.param("a", "False", marks=pytest.mark.stateless(isolation="namespace")),
                pytest.param("b", "True", marks=pytest.mark.stateless(isolation="landlock")),
                pytest.param("c", "True", marks=pytest.mark.stateless(isolation="fake")),
                pytest.param("d", "False", marks=pytest.mark.stateless(isolation="auto")),
                pytest.param("e", "True", marks=pytest.mark.stateless(isolation="landlock")),
            ))
            def test_detours(stateless, path, said):
                assert stateless.get("/detours").text == said
        """,
    })
    project.run().assert_outcomes(passed=5)


def test_the_command_line_is_a_minimum(project: Project) -> None:
    project.ini("stateless_app = shop:app")
    project.write({
        **SHOP,
        "test_shop.py": """
            import pytest

            @pytest.mark.stateless(isolation="fake")
            def test_detours(stateless):
                assert stateless.get("/detours").text == "False"
        """,
    })
    project.run("--stateless-isolation=namespace").assert_outcomes(passed=1)


@pytest.mark.parametrize("isolation", ("namespace", "landlock", "fake"))
@pytest.mark.parametrize("start", ("cold", "spawn"))
def test_a_full_tmp_is_a_finding(project: Project, isolation: str, start: str) -> None:
    project.ini(
        "stateless_app = shop:app",
        "stateless_tmp_size = 1 MB",
        f"stateless_isolation = {isolation}",
        f"stateless_start = {start}",
    )
    project.write({
        **SHOP,
        "test_shop.py": """
            def test_fills(stateless):
                stateless.get("/fill")
        """,
    })
    result = project.run()
    result.assert_outcomes(failed=1)
    # before 3.12 an error is seen when it has left the app, which has closed the file by then
    names_file = sys.version_info >= (3, 12)
    full = "/tmp/big does not fit into /tmp (1 MB)" if names_file else "/tmp (1 MB) is full"
    assert f"shop.py:25: SL103 tmp-full: {full}" in str(result.stdout)


def test_a_name_that_is_no_isolation_is_refused_on_the_command_line(project: Project) -> None:
    project.write({"test_it.py": "def test_it(): pass"})
    result = project.run("--stateless-isolation=chroot")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    says = (
        "command line: isolation = 'chroot': 'chroot' is not known; choose one of auto, namespace"
    )
    result.stderr.fnmatch_lines([f"ERROR: {says}, landlock, fake"])
