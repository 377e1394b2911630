"""Coverage of what runs in instances: the same as when the suite runs unsealed.

One suite with every way to have something run in an instance, measured with pytest-cov and with
`coverage run`. Unsealed, it is served in pytest's own process, where coverage.py needs no help.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TIMEOUT_S = 120
NO_PLUGINS = ("--disable-plugin-autoload", "-p", "stateless", "-p", "no:cacheprovider", "-q")
# A new interpreter takes its time: of the suite, what makes every kind of exchange once. Nothing of
# the app is imported by these tests themselves.
FEW = ("-k", "a_warm_instance or the_async_client or events")

FILES = {
    "pytest.ini": """
        [pytest]
        filterwarnings = error
        pythonpath = src
        testpaths = tests
        stateless_app = shop.flask_app:app
        stateless_setup = shop.sealed:setup
    """,
    "src/shop/__init__.py": """
        VERSION = 1
        if VERSION > 1:
            VERSION = 2
    """,
    "src/shop/prices.py": """
        PRICES = {"tea": 3, "milk": 1}

        def total(name, count):
            price = PRICES.get(name)
            if price is None:
                raise LookupError(name)
            if count > 10:
                return price * count - 1
            for _ in range(count):
                if name == "coffee":
                    break
            else:
                price += 0
            return price * count

        def double(value):
            if value < 0:
                return 0
            return 2 * value
    """,
    "src/shop/sealed.py": """
        from shop import prices

        def setup():
            prices.PRICES["jam"] = 2

        def never():
            return None
    """,
    "src/shop/unused.py": """
        def never():
            if True:
                return None
    """,
    "src/shop/flask_app.py": """
        import threading
        from flask import Flask, request
        from shop import prices

        app = Flask(__name__)

        @app.get("/price/<name>")
        def price(name):
            count = int(request.args.get("count", "1"))
            if count < 1:
                return "none", 400
            try:
                return str(prices.total(name, count))
            except LookupError:
                return "no such thing", 404

        @app.get("/stream")
        def stream():
            def pieces():
                for number in range(3):
                    if number == 1:
                        yield "one"
                    else:
                        yield "other"
                if number == 5:
                    yield "never"
            return app.response_class(pieces())

        @app.get("/thread")
        def thread():
            found = []
            def work():
                found.append(len(found))
                if found == [7]:
                    found.clear()
            one = threading.Thread(target=work)
            one.start()
            one.join()
            return str(found)

        @app.get("/fail")
        def fail():
            raise ValueError("no tea")

        @app.get("/never")
        def never():
            return "never"
    """,
    "src/shop/fastapi_app.py": """
        import contextlib
        from fastapi import FastAPI
        from fastapi.responses import StreamingResponse

        STATE = {}

        @contextlib.asynccontextmanager
        async def lifespan(app):
            STATE["open"] = True
            yield

        app = FastAPI(lifespan=lifespan)

        @app.get("/async/{number}")
        async def as_a_coroutine(number: int):
            if number > 3:
                return {"many": number}
            return {"few": number if STATE["open"] else 0}

        @app.get("/sync/{number}")
        def in_a_thread(number: int):
            if number > 3:
                return {"many": number}
            return {"few": number}

        @app.get("/stream")
        async def stream():
            async def pieces():
                for number in range(2):
                    yield str(number)
            return StreamingResponse(pieces())

        @app.get("/never")
        async def never():
            return None
    """,
    "src/shop/handler.py": """
        def handler(event, context):
            if event.get("fail"):
                raise ValueError("no tea")
            if event.get("never"):
                return "never"
            return event
    """,
    "tests/test_shop.py": """
        import asyncio
        import pytest

        def test_branches(stateless):
            assert stateless.get("/price/tea").text == "3"
            assert stateless.get("/price/jam?count=20").text == "39"
            assert stateless.get("/price/gold").status_code == 404

        def test_a_warm_instance(stateless):
            with stateless.warm():
                assert stateless.get("/price/tea?count=2").text == "6"
                assert stateless.get("/thread").text == "[0]"

        def test_streams_and_failures(stateless):
            with stateless.client.stream("GET", "/stream") as response:
                assert "".join(response.iter_text()) == "otheroneother"
            assert stateless.get("/fail").status_code == 500

        def test_a_function(stateless):
            from shop.prices import double
            assert stateless.call(double, 2) == 4

        @pytest.mark.stateless(app="shop.fastapi_app:app")
        def test_asgi(stateless):
            assert stateless.get("/async/1").json() == {"few": 1}
            assert stateless.get("/sync/9").json() == {"many": 9}
            with stateless.client.stream("GET", "/stream") as response:
                assert "".join(response.iter_text()) == "01"

        @pytest.mark.stateless(app="shop.fastapi_app:app")
        def test_the_async_client(stateless):
            async def ask():
                async with stateless.async_client() as client:
                    return (await client.get("/async/4")).json()
            assert asyncio.run(ask()) == {"many": 4}

        @pytest.mark.stateless(app="shop.handler:handler")
        def test_events(stateless):
            assert stateless.invoke({"a": 1}) == {"a": 1}
            assert stateless.invoke({"fail": 1})["errorType"] == "ValueError"
    """,
}


class Suite:
    """A suite on disk, run as often as needed, each time with a data file of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = itertools.count()

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")

    def with_pytest_cov(self, *options: str, fails: bool = False) -> dict[str, Any]:
        command = ("pytest", *NO_PLUGINS, "-p", "pytest_cov", "--cov-report=")
        return self._measure(*command, *options, fails=fails)

    def with_coverage_run(self, *measure: str, options: tuple[str, ...] = ()) -> dict[str, Any]:
        command = ("coverage", "run", *measure, "-m", "pytest", *NO_PLUGINS)
        return self._measure(*command, *options)

    def _measure(self, *command: str, fails: bool = False) -> dict[str, Any]:
        data = self.folder / f"data-{next(self._numbers)}"
        environ = {
            **os.environ,
            "COVERAGE_FILE": str(data),
            "PYTEST_ADDOPTS": f"--basetemp={self.folder / '.basetemp'}",
        }
        ended = subprocess.run(
            [sys.executable, "-m", *command],
            check=False,
            cwd=self.folder,
            env=environ,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
        said = ended.stdout + ended.stderr
        assert ended.returncode == int(fails), said
        assert "warning" not in said.lower(), said
        out = data.with_suffix(".json")
        told = ("--data-file", str(data), "-o", str(out), "-q", "--show-contexts")
        subprocess.run(
            [sys.executable, "-m", "coverage", "json", *told],
            check=True,
            cwd=self.folder,
            timeout=TIMEOUT_S,
        )
        report: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        return report


def percent(report: dict[str, Any]) -> float:
    value: float = report["totals"]["percent_covered"]
    return value


def missing(report: dict[str, Any]) -> dict[str, object]:
    """What of each file did not run: its lines, and its branches where they are measured."""
    return {
        path: (file["missing_lines"], file.get("missing_branches"))
        for path, file in report["files"].items()
    }


def assert_equal(measured: dict[str, Any], unsealed: dict[str, Any]) -> None:
    assert missing(measured) == missing(unsealed)
    assert abs(percent(measured) - percent(unsealed)) < 1


@pytest.fixture(scope="module")
def suite(
    tmp_path_factory: pytest.TempPathFactory,
    sandbox: None,  # noqa: ARG001 (it skips)
) -> Suite:
    suite = Suite(tmp_path_factory.mktemp("coverage"))
    suite.write(FILES)
    return suite


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is measured, of which tests, and what is reported when they run unsealed."""

    branch: tuple[str, ...]
    start: tuple[str, ...]
    unsealed: dict[str, Any]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((start, branch), id=f"{start}-{'branches' if branch else 'lines'}")
        for start in ("cold", "spawn")
        for branch in ((), ("branch",))
    ],
)
def case(request: pytest.FixtureRequest, suite: Suite) -> Case:
    start, branch = request.param
    tests = FEW if start == "spawn" else ()
    cov_branch = tuple(f"--cov-{name}" for name in branch)
    unsealed = suite.with_pytest_cov("--cov=shop", *cov_branch, "--no-stateless", *tests)
    # something is missed, and something of each kind is not
    assert 30 < percent(unsealed) < 95
    assert unsealed["files"]["src/shop/unused.py"]["summary"]["percent_covered"] == 0
    return Case(branch=branch, start=(f"--stateless-start={start}", *tests), unsealed=unsealed)


@pytest.mark.parametrize("workers", ((), ("-p", "xdist", "-n", "2")), ids=("one", "two"))
def test_pytest_cov_reports_what_it_reports_unsealed(
    suite: Suite, case: Case, workers: tuple[str, ...]
) -> None:
    branch = [f"--cov-{name}" for name in case.branch]
    assert_equal(suite.with_pytest_cov("--cov=shop", *branch, *case.start, *workers), case.unsealed)


def test_coverage_run_reports_what_pytest_cov_reports_unsealed(suite: Suite, case: Case) -> None:
    branch = [f"--{name}" for name in case.branch]
    measured = suite.with_coverage_run("--source=shop", *branch, options=case.start)
    assert_equal(measured, case.unsealed)


def test_a_configuration_counts_in_instances_too(suite: Suite) -> None:
    suite.write({
        "relative.cfg": """
            [run]
            relative_files = true
            branch = true
            source = src
            omit = src/shop/prices.py
            concurrency = thread
        """
    })
    options = ("--cov", "--cov-config=relative.cfg", *FEW)
    unsealed = suite.with_pytest_cov(*options, "--no-stateless")
    assert "src/shop/flask_app.py" in unsealed["files"]
    assert "src/shop/prices.py" not in unsealed["files"]
    assert_equal(suite.with_pytest_cov(*options), unsealed)


def contexts_of(report: dict[str, Any], path: str, code: str) -> list[str]:
    lines = textwrap.dedent(FILES[path]).strip().splitlines()
    (number,) = (number for number, line in enumerate(lines, 1) if line.strip() == code)
    found: list[str] = report["files"][path]["contexts"][str(number)]
    return sorted(found)


@pytest.mark.parametrize(
    ("path", "code", "count"),
    (
        pytest.param("src/shop/prices.py", "price = PRICES.get(name)", 2, id="two tests"),
        pytest.param("src/shop/flask_app.py", "found = []", 1, id="one test"),
    ),
)
def test_a_line_that_ran_in_an_instance_has_the_contexts_of_its_tests(
    contexts: tuple[dict[str, Any], dict[str, Any]], path: str, code: str, count: int
) -> None:
    measured, unsealed = contexts
    expected = contexts_of(unsealed, path, code)
    assert len(expected) == count
    assert all(context.endswith("|run") for context in expected)
    assert contexts_of(measured, path, code) == expected


@pytest.fixture(scope="module")
def contexts(suite: Suite) -> tuple[dict[str, Any], dict[str, Any]]:
    (suite.folder / "contexts.cfg").write_text("[run]\ncore = ctrace\n")  # sysmon knows none
    measure = ("--cov=shop", "--cov-context=test", "--cov-config=contexts.cfg")
    options = (*measure, "-k", "branches or a_warm_instance")
    return suite.with_pytest_cov(*options), suite.with_pytest_cov(*options, "--no-stateless")


@pytest.fixture
def lone_suite(tmp_path: Path, sandbox: None) -> Suite:  # noqa: ARG001 (it skips)
    suite = Suite(tmp_path)
    suite.write({
        "pytest.ini": """
            [pytest]
            filterwarnings = error
            pythonpath = .
            stateless_app = shop:app
        """
    })
    return suite


def test_an_app_that_does_not_start_is_measured_up_to_there(lone_suite: Suite) -> None:
    lone_suite.write({
        "shop.py": """
            import os
            if os.environ.get("LICENCE"):
                app = None
            else:
                raise RuntimeError("no licence")
            later = 1
        """,
        "test_shop.py": """
            def test_it(stateless):
                stateless.get("/")
        """,
    })
    options = ("--cov=shop", "--cov-branch")
    measured = lone_suite.with_pytest_cov(*options, fails=True)
    assert measured["files"]["shop.py"]["missing_lines"] == [3, 6]
    assert_equal(measured, lone_suite.with_pytest_cov(*options, "--no-stateless", fails=True))


def test_what_an_instance_never_told_is_lost(lone_suite: Suite) -> None:
    """It dies in its second request; and after the last of them a platform gives no time."""
    lone_suite.write({
        "shop.py": """
            import contextlib
            import os
            from fastapi import FastAPI

            @contextlib.asynccontextmanager
            async def lifespan(app):
                yield
                print("shut down")

            app = FastAPI(lifespan=lifespan)

            @app.get("/live")
            async def live():
                return "alive"

            @app.get("/die")
            async def die():
                os._exit(3)
        """,
        "test_shop.py": """
            import pytest
            from pytest_stateless import InstanceDiedError

            def test_it(stateless):
                with stateless.warm():
                    stateless.get("/live")
                    with pytest.raises(InstanceDiedError):
                        stateless.get("/die")
        """,
    })
    measured = lone_suite.with_pytest_cov("--cov=shop")
    assert measured["files"]["shop.py"]["missing_lines"] == [8, 18]


def test_findings_are_the_same_while_coverage_measures(lone_suite: Suite) -> None:
    lone_suite.write({
        "shop.py": """
            import threading
            from flask import Flask

            app = Flask(__name__)

            def work():
                threading.Event().wait()

            @app.get("/")
            def home():
                threading.Thread(target=work, daemon=True).start()
                try:
                    open("kept.txt", "w")
                except OSError:
                    return "refused"
        """,
        "test_shop.py": """
            def test_it(stateless):
                assert stateless.get("/").text == "refused"
                found = sorted((finding.rule, finding.line) for finding in stateless.findings)
                assert found == [("SL101", 13), ("SL301", 11)]
                stateless.reset()
        """,
    })
    measured = lone_suite.with_pytest_cov("--cov=shop", "--cov-branch")
    assert measured["files"]["shop.py"]["missing_lines"] == []
