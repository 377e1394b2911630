"""A disk that goes with its instance, as the user of a platform that has one meets it."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from e2e.conftest import Project

MACHINE = Path(__file__).parents[1] / "sandbox" / "refusing_machine.py"
FILES = {
    "shop.py": """
        import json
        from pathlib import Path

        def app(environ, start_response):
            path = environ["PATH_INFO"]
            if path == "/report":
                Path("report.html").write_text("sold")
            if path == "/entry":
                entries = json.loads(Path("db.json").read_text())
                Path("db.json").write_text(json.dumps([*entries, 1]))
            start_response("200 OK", [])
            return [Path("db.json").read_bytes()]
    """,
    "db.json": "[]",
    "test_shop.py": """
        import pytest

        def test_a_report(stateless):
            assert stateless.get("/report").text == "[]"

        def test_an_entry(stateless):
            assert stateless.get("/entry").text == "[1]"
            assert stateless.get("/").text == "[]"
    """,
}


@pytest.fixture
def shop(project: Project) -> Project:
    project.write(FILES)
    project.ini("stateless_app = shop:app", "stateless_platform = cloud-run")
    return project


def test_what_is_left_is_a_warning_and_a_database_an_error(shop: Project) -> None:
    result = shop.run()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines([
        "shop.py:10: SL105 local-database: db.json is rewritten by requests",
        "*db.json is read and rewritten by requests, as a database; on cloud-run it is gone with*",
        "*GET /entry (request 1, instance 1)",
        "*shop.py:10  open('db.json', 'w')   gone with the instance",
        "*answered 200",
        "*fix *keep the data in a database (Firestore, Cloud SQL)*",
    ])
    result.stdout.fnmatch_lines([
        "SL105 local-database *shop.py:10 *",
        "SL101 write-outside-tmp (warning) *shop.py:7 *",
    ])
    assert not (shop.path / "report.html").exists()
    assert (shop.path / "db.json").read_text(encoding="utf-8") == "[]"


def test_a_suite_may_fail_for_warnings_too(shop: Project) -> None:
    shop.ini(
        "stateless_app = shop:app", "stateless_platform = cloud-run", "stateless_fail_on = warning"
    )
    result = shop.run("-k", "report")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([
        "shop.py:7: SL101 write-outside-tmp (warning): report.html is written on the instance's *",
        "*on cloud-run it is gone with its instance, and no other instance sees it.",
    ])


@pytest.mark.parametrize(
    ("lines", "shown"),
    (
        (("cloud-run",), "writes outside /tmp discarded (cloud-run; 256 MB)"),
        (("cloud-run", "stateless_memory = 1 GB"), "discarded (cloud-run; 512 MB)"),
        (("cloud-run", "stateless_writes = refuse"), "writes outside /tmp refused (ini file)"),
        (("vercel", "stateless_writes = discard"), "discarded (ini file; 1 GB)"),
        (("vercel", "stateless_writes = refuse"), ""),
        (("vercel",), ""),
    ),
)
def test_the_header_tells_it_where_it_does_not_go_without_saying(
    project: Project, lines: tuple[str, ...], shown: str
) -> None:
    platform, *more = lines
    project.ini("stateless_app = shop:app", f"stateless_platform = {platform}", *more)
    header = next(line for line in project.run().outlines if line.startswith("stateless: "))
    assert header.endswith(shown)
    assert ("writes" in header) is bool(shown)


@pytest.mark.parametrize("isolation", ("landlock", "fake"))
def test_an_isolation_that_has_no_disk_to_give_refuses_writes_and_says_so(
    shop: Project, isolation: str
) -> None:
    result = shop.run(f"--stateless-isolation={isolation}", "-k", "report")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([
        "shop.py:7: SL101 write-outside-tmp (warning): report.html cannot be written here",
        f"*isolation {isolation} has no disk to give, and refuses it here; on cloud-run it is*",
        f"cloud-run discards writes with their instance; isolation {isolation} cannot, and refus*",
    ])


def test_an_isolation_that_has_no_disk_to_give_does_not_do_for_who_insists(shop: Project) -> None:
    shop.ini("stateless_app = shop:app", "stateless_writes = discard", "stateless_isolation = fake")
    result = shop.run("-k", "report")
    result.assert_outcomes(failed=1)
    says = (
        "writes = 'discard' (ini file) needs isolation 'namespace', and this test has 'fake', "
        "which has no disk to give; set 'refuse', or allow namespaces"
    )
    result.stdout.fnmatch_lines([f"ConfigurationError: {says}"])


def test_the_marker_and_the_ini_file_say_it_for_any_platform(project: Project) -> None:
    project.write({
        **FILES,
        "test_shop.py": """
            import pytest

            def test_of_the_ini_file(stateless):
                assert stateless.get("/report").status_code == 200

            @pytest.mark.stateless(writes="refuse", allow="SL101  # what is tested")
            def test_of_the_marker(stateless):
                assert stateless.get("/report").status_code == 500

            @pytest.mark.stateless(start="spawn")
            def test_of_a_new_interpreter(stateless):
                assert stateless.get("/report").status_code == 200
                assert [finding.line for finding in stateless.findings] == [7]

            def test_again(stateless):
                assert stateless.get("/report").status_code == 200
                (finding,) = stateless.findings
                assert finding.cause == (
                    "on aws-lambda it cannot be written; here it is gone with its instance."
                )
        """,
    })
    project.ini("stateless_app = shop:app", "stateless_writes = discard")
    project.run().assert_outcomes(passed=4)


def test_without_enforcement_nothing_is_discarded(shop: Project) -> None:
    result = shop.run("--no-stateless", "-k", "report")
    result.assert_outcomes(passed=1)
    assert (shop.path / "report.html").exists()


def test_a_machine_that_refuses_overlays_says_so_and_what_to_do(shop: Project) -> None:
    alone = ("--disable-plugin-autoload", "-p", "stateless", "-p", "no:cacheprovider")
    command = (sys.executable, MACHINE, "fsopen", "1", "--", sys.executable, "-m", "pytest", *alone)
    result = shop.run_program(*command)
    result.assert_outcomes(failed=2)
    out = result.stdout.str()
    assert "cannot be discarded: this machine refuses overlays (hold copy (path=" in out
    assert re.search(
        r"SandboxUnavailableError: .*stateless_writes = 'discard' cannot be had on this machine: "
        r"hold copy .* fsopen failed: \[EPERM\] .*with 'refuse' an instance needs no disk",
        out,
    )
    shop.ini("stateless_app = shop:app", "stateless_writes = refuse")
    refusing = shop.run_program(*command)
    assert "fsopen" not in refusing.stdout.str()
    assert "SL101" in refusing.stdout.str()


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user gives no file away")
def test_a_file_is_the_same_for_root_as_for_its_owner(shop: Project) -> None:
    os.chown(shop.path / "db.json", 65534, 65534)
    shop.run().assert_outcomes(passed=1, failed=1)
    assert (shop.path / "db.json").stat().st_uid == 65534
