"""The fixture `stateless`: what it remembers, when it forgets, and where it can be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from e2e.conftest import Project

SHOP = """
    import logging, threading, time
    from pathlib import Path
    from flask import Flask, request

    app = Flask(__name__)
    COUNT = []

    @app.get("/")
    def count():
        COUNT.append(1)
        return str(len(COUNT))

    @app.get("/log")
    def log():
        logging.getLogger("shop").warning("looked at %s", "tea")
        return "logged"

    @app.get("/write")
    def write():
        Path("kept.txt").write_text("kept")
        return "written"

    @app.get("/serve")
    def serve():
        path = Path(request.args["path"])
        path.write_text(path.read_text() + "+" if path.exists() else "+")
        return path.read_text()

    TICKS = []

    def tick():
        while True:
            TICKS.append(time.monotonic())
            time.sleep(0.001)

    @app.get("/start")
    def start():
        threading.Thread(target=tick, daemon=True).start()
        return "started"

    @app.get("/ticks")
    def ticks():
        before = len(TICKS)
        while len(TICKS) < before + 3:
            time.sleep(0.001)
        return {"longest pause": max(b - a for a, b in zip(TICKS, TICKS[1:]))}
"""


def test_what_a_test_has_sent_can_be_inspected(project: Project) -> None:
    project.write({
        "shop.py": SHOP,
        "test_it.py": """
            from pathlib import Path
            import pytest
            from pytest_stateless import ConfigurationError, Exchange, Finding, Severity, Stateless

            def test_exchanges(stateless):
                assert isinstance(stateless, Stateless)
                assert stateless.exchanges == ()
                with pytest.raises(ConfigurationError, match="sent nothing yet"):
                    stateless.last
                response = stateless.get("/log?q=1")
                stateless.get("/")
                first, second = stateless.exchanges
                assert response.extensions["stateless"] is first
                assert isinstance(first, Exchange)
                assert stateless.last is second
                assert (first.number, first.title, first.status) == (1, "GET /log", 200)
                assert (first.instance, first.is_cold, first.is_complete) == (1, True, True)
                assert first.cold_start_s > 0 and first.handling_s > 0
                assert (second.number, second.instance) == (2, 2)
                (record,) = first.log_records
                assert (record.name, record.message) == ("shop", "looked at tea")
                assert record.path.endswith("shop.py") and record.function == "log"
                assert (first.findings, first.exception) == ((), "")

            @pytest.mark.stateless(allow="SL101  # it is what this test is about")
            def test_findings(stateless):
                assert stateless.findings == ()
                response = stateless.get("/write")
                assert response.status_code == 500
                (finding,) = response.extensions["stateless"].findings
                assert stateless.findings == (finding,)
                assert isinstance(finding, Finding)
                assert (finding.rule, finding.severity) == ("SL101", Severity.ERROR)
                assert finding.path == "shop.py"
                assert "write_text" in Path(finding.path).read_text().splitlines()[finding.line - 1]
                assert "Read-only file system" in stateless.last.exception

            def test_the_next_test_starts_with_nothing(stateless):
                assert (stateless.exchanges, stateless.findings) == ((), ())

            def test_a_warm_instance_keeps_its_state(stateless):
                with stateless.warm():
                    assert [stateless.get("/").text for _ in range(3)] == ["1", "2", "3"]
                assert stateless.get("/").text == "1"
                with stateless.warm():
                    assert stateless.get("/").text == "1"
                exchanges = stateless.exchanges
                assert [one.instance for one in exchanges] == [1, 1, 1, 2, 3]
                assert [one.is_cold for one in exchanges] == [True, False, False, True, True]
                assert exchanges[1].cold_start_s == 0

            def test_a_warm_instance_is_frozen_between_requests(stateless):
                import time
                with stateless.warm():
                    stateless.get("/start")
                    time.sleep(0.5)  # here its thread would tick hundreds of times
                    answer = stateless.get("/ticks").json()
                assert answer["longest pause"] > 0.4
                assert [finding.rule for finding in stateless.findings] == ["SL301"]
            test_a_warm_instance_is_frozen_between_requests = pytest.mark.stateless(
                allow="SL301  # the thread is what shows the pause"
            )(test_a_warm_instance_is_frozen_between_requests)

            def test_warm_blocks_cannot_be_nested_and_end_with_an_exception(stateless):
                with pytest.raises(ConfigurationError, match="nested"):
                    with stateless.warm(), stateless.warm():
                        pass
                with pytest.raises(KeyError), stateless.warm():
                    stateless.get("/")
                    raise KeyError
                assert stateless.get("/").text == "1"
        """,
    })
    project.ini("stateless_app = shop:app")
    project.run().assert_outcomes(passed=6)


def test_service_paths_are_written_and_kept(project: Project) -> None:
    project.write({
        "shop.py": SHOP,
        "test_it.py": """
            from pathlib import Path
            import pytest
            from pytest_stateless import ConfigurationError

            def visit(stateless, path):
                return stateless.get("/serve", params={"path": str(path)})

            def test_of_the_ini_file(stateless):
                path = Path("var/visits").resolve()
                assert [visit(stateless, path).text for _ in range(2)] == ["+", "++"]
                assert path.read_text() == "++"

            def test_of_the_test_itself(stateless, tmp_path):
                stateless.service_path(tmp_path)
                assert [visit(stateless, tmp_path / "visits").text for _ in range(2)] == ["+", "++"]
                assert (tmp_path / "visits").read_text() == "++"

            def test_a_file_stands_for_its_folder(stateless, tmp_path):
                path = tmp_path / "visits"
                path.write_text("-")
                stateless.service_path(path)
                assert visit(stateless, path).text == "-+"

            @pytest.mark.stateless(allow="SL101  # what is tested")
            def test_for_that_test_alone(stateless, tmp_path):
                assert visit(stateless, tmp_path / "visits").status_code == 500
                assert not (tmp_path / "visits").exists()

            def test_a_folder_that_is_made_anew_is_the_new_one(stateless, tmp_path):
                folder = tmp_path / "data"
                for _ in range(3):
                    folder.mkdir()
                    stateless.service_path(folder)
                    assert visit(stateless, folder / "visits").text == "+"
                    (folder / "visits").unlink()
                    folder.rmdir()

            def test_one_that_does_not_exist_is_refused(stateless, tmp_path):
                with pytest.raises(ConfigurationError, match="does not exist; make it"):
                    stateless.service_path(tmp_path / "no" / "such")
        """,
        "var/keep": "",
    })
    project.ini("stateless_app = shop:app", "stateless_service_paths = var")
    project.run().assert_outcomes(passed=6)


def test_the_fixture_is_used_from_fixtures_classes_and_by_name(project: Project) -> None:
    project.write({
        "shop.py": SHOP,
        "test_it.py": """
            import unittest
            import pytest

            @pytest.fixture(scope="session")
            def base(stateless):  # a fixture of a wider scope may depend on it
                return stateless

            @pytest.fixture
            def filled(stateless):
                response = stateless.get("/")
                return response.text

            def test_a_request_of_a_fixture_s_set_up_counts(filled, stateless):
                assert filled == "1"
                assert [one.title for one in stateless.exchanges] == ["GET /"]

            @pytest.fixture
            def closing(stateless):
                yield
                assert stateless.get("/").text == "1"
                assert len(stateless.exchanges) == 2

            def test_a_request_of_a_fixture_s_tear_down_works(closing, stateless):
                stateless.get("/")

            def test_it_can_be_asked_for_by_name(request):
                stateless = request.getfixturevalue("stateless")
                assert stateless.get("/").text == "1"
                assert len(stateless.exchanges) == 1

            def test_the_session_has_one(base, stateless):
                assert base is stateless

            @pytest.mark.parametrize("number", [1, 2])
            def test_each_parameter_is_a_test_of_its_own(stateless, number):
                stateless.get("/")
                assert len(stateless.exchanges) == 1

            class TestClass:
                @pytest.fixture(autouse=True)
                def visited(self, stateless):
                    self.text = stateless.get("/").text

                def test_method(self, stateless):
                    assert self.text == "1"
                    assert len(stateless.exchanges) == 1

            @pytest.mark.usefixtures("give_stateless")
            class UnittestStyle(unittest.TestCase):
                @pytest.fixture
                def give_stateless(self, stateless):
                    self.stateless = stateless

                def test_it_is_an_attribute(self):
                    self.assertEqual(self.stateless.get("/").text, "1")
                    self.assertEqual(len(self.stateless.exchanges), 1)
        """,
    })
    project.ini("stateless_app = shop:app")
    project.run().assert_outcomes(passed=8)


def test_findings_of_a_fixture_s_set_up_and_of_a_fixture_asked_by_name_fail_the_test(
    project: Project,
) -> None:
    project.write({
        "shop.py": SHOP,
        "test_it.py": """
            import unittest
            import pytest

            @pytest.fixture
            def filled(stateless):
                stateless.get("/write")

            def test_in_set_up(filled):
                pass

            def test_by_name(request):
                request.getfixturevalue("stateless").get("/write")

            @pytest.mark.usefixtures("give_stateless")
            class UnittestStyle(unittest.TestCase):
                @pytest.fixture
                def give_stateless(self, stateless):
                    self.stateless = stateless

                def test_method(self):
                    self.stateless.get("/write")

            def test_not_of_the_test_before(stateless):
                stateless.get("/")
        """,
    })
    project.ini("stateless_app = shop:app")
    result = project.run()
    result.assert_outcomes(failed=3, passed=1)
    result.stdout.fnmatch_lines([
        "FAILED test_it.py::test_in_set_up - Failed: shop.py:*: SL101 write-outside-tmp*",
        "FAILED test_it.py::test_by_name - Failed: shop.py:*: SL101 write-outside-tmp*",
        "FAILED test_it.py::UnittestStyle::test_method - *shop.py:*: SL101 write-outside-tmp*",
    ])
