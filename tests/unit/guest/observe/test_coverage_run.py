"""Measurements, each in a process of its own: coverage.py has one state per process."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pytest_stateless

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(pytest_stateless.__file__).parents[1]

APP = """
def small(number):
    if number > 3:
        return "many"
    return "few"

def other():
    return "other"
"""

HEAD = """
import json, os, sys
sys.path.insert(0, PROJECT)
from pytest_stateless.guest.observe.coverage_run import CoverageRun, make_ready, ready_run
from pytest_stateless.model.coverage_order import CoverageOrder

def order(**options):
    named = {"run:" + name: value for name, value in options.items()}
    return CoverageOrder(options={"run:source_dirs": (PROJECT,), **named})

def taken(run):
    # what ran, by the file's name
    found = json.loads(run.take().blob)
    return {os.path.basename(path): sorted(lines) for path, lines in found.items()}
"""

CORES = ("ctrace", "sysmon") if sys.version_info >= (3, 12) else ("ctrace",)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., None]:
    """Run a program beside an app `app.py`, with warnings as errors, on a core of coverage's."""
    (tmp_path / "app.py").write_text(APP.lstrip("\n"))

    def run(program: str, **environ: str) -> None:
        head = f"PROJECT = {str(tmp_path)!r}\n{HEAD}"
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", head + textwrap.dedent(program)],
            check=False,
            cwd=ROOT,
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (0, "")

    return run


@pytest.mark.parametrize("core", CORES)
def test_each_message_tells_the_lines_that_are_new(run: Callable[..., None], core: str) -> None:
    run(f"""
        measuring = CoverageRun(order(core={core!r}))
        measuring.start()
        import app
        assert taken(measuring) == {{"app.py": [1, 6]}}
        app.small(1)
        assert taken(measuring) == {{"app.py": [2, 4]}}
        assert taken(measuring) == {{}}
        app.small(9)
        assert taken(measuring) == {{"app.py": [2, 3]}}
    """)


@pytest.mark.parametrize("core", CORES)
def test_a_line_that_runs_again_is_told_again(run: Callable[..., None], core: str) -> None:
    run(f"""
        measuring = CoverageRun(order(core={core!r}))
        measuring.start()
        import app
        for turn in range(2):
            measuring.take()
            app.other()
            assert taken(measuring) == {{"app.py": [7]}}
    """)


def test_branches_are_told_as_pairs_of_lines(run: Callable[..., None]) -> None:
    run("""
        import app
        measuring = CoverageRun(order(branch=True, core="ctrace"))
        measuring.start()
        app.small(9)
        message = measuring.take()
        assert message.is_branch
        ((path, arcs),) = json.loads(message.blob).items()
        assert path == os.path.realpath(app.__file__)
        assert sorted(arcs) == [[-1, 2], [2, 3], [3, -1]]
    """)


def test_lines_that_run_in_threads_are_told(run: Callable[..., None]) -> None:
    run("""
        import threading
        import app
        measuring = CoverageRun(order())
        measuring.start()
        thread = threading.Thread(target=app.other)
        thread.start()
        thread.join()
        assert taken(measuring) == {"app.py": [7]}
    """)


@pytest.mark.parametrize("core", CORES)
def test_a_fork_of_a_measured_process_measures_by_itself(
    run: Callable[..., None], tmp_path: Path, core: str
) -> None:
    run(
        """
        import coverage
        parents = coverage.Coverage(source=[PROJECT], config_file=False)
        parents.start()
        import app
        app.small(1)
        child = os.fork()
        if not child:
            measuring = CoverageRun(order())
            measuring.start()
            app.other()
            assert taken(measuring) == {"app.py": [7]}
            os._exit(17)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 17
        parents.stop()
        assert sorted(parents.get_data().lines(app.__file__)) == [1, 2, 4, 6]
        """,
        COVERAGE_CORE=core,
        COVERAGE_FILE=str(tmp_path / "data"),
    )
    assert not list(tmp_path.glob("data.*"))


def test_forks_go_on_with_a_measurement_that_was_made_ready(run: Callable[..., None]) -> None:
    run("""
        import app
        make_ready(order())
        app.small(1)  # nobody measures yet
        first = ready_run(order())
        assert first is not None and ready_run(order(branch=True)) is None is ready_run(None)
        for function, lines in ((app.other, [7]), (lambda: app.small(9), [2, 3])):
            child = os.fork()
            if not child:
                first.start()
                function()
                assert taken(first) == {"app.py": lines}
                os._exit(17)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 17
    """)


def test_a_measurement_that_was_made_ready_has_decided_about_files(
    run: Callable[..., None],
) -> None:
    run("""
        from coverage.inorout import InOrOut
        import colorsys
        asked = []
        original = InOrOut.should_trace
        InOrOut.should_trace = lambda *args: asked.append(args[1]) or original(*args)
        make_ready(order())
        assert colorsys.__file__ in asked
        asked.clear()
        measuring = ready_run(order())
        measuring.start()
        colorsys.rgb_to_hsv(1, 1, 1)
        assert colorsys.__file__ not in asked
        import app
        assert app.__file__ in asked
        assert taken(measuring) == {"app.py": [1, 6]}
    """)


def test_after_a_stop_nothing_is_told_and_a_start_begins_anew(run: Callable[..., None]) -> None:
    run("""
        import app
        measuring = CoverageRun(order())
        assert measuring.take() is None
        measuring.start()
        app.small(1)
        measuring.stop()
        assert measuring.take() is None
        app.small(9)
        measuring.start()
        app.other()
        assert taken(measuring) == {"app.py": [7]}
    """)


def test_the_start_imports_nothing_of_the_app(run: Callable[..., None], tmp_path: Path) -> None:
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").write_text("print('early')\n")
    (package / "api.py").write_text("import shop.other\n")
    (package / "other.py").write_text("value = 1\n")
    run("""
        import contextlib, io
        names = ("shop.api", "shop.missing", "nowhere.at.all")
        measuring = CoverageRun(order(source_dirs=(), source_pkgs=names))
        with contextlib.redirect_stdout(io.StringIO()) as said:
            measuring.start()
        assert said.getvalue() == ""
        assert not [name for name in sys.modules if name.startswith(("shop", "nowhere"))]
        import shop.api
        message = measuring.take()
        assert [os.path.basename(path) for path in json.loads(message.blob)] == ["api.py"]
        assert message.modules == {"shop.api": shop.api.__file__}
    """)


def test_packages_that_ran_are_named_with_their_files(
    run: Callable[..., None], tmp_path: Path
) -> None:
    (tmp_path / "spaces").mkdir()
    (tmp_path / "spaces" / "inner.py").write_text("value = 1\n")
    (tmp_path / "broken.py").write_text("raise ValueError\n")
    run("""
        names = ("app", "spaces", "broken", "never")
        measuring = CoverageRun(order(source_dirs=(), source_pkgs=names))
        measuring.start()
        import app, spaces.inner
        try: import broken
        except ValueError: pass
        assert measuring.take().modules == {"app": app.__file__, "spaces": "", "broken": ""}
    """)


def test_where_the_folders_are_not_there_nothing_is_measured(run: Callable[..., None]) -> None:
    run("""
        measuring = CoverageRun(order(source_dirs=("/nowhere",)))
        measuring.start()
        import app
        assert measuring.take() is None
    """)


def test_neither_the_environment_nor_the_folder_matters(
    run: Callable[..., None], tmp_path: Path
) -> None:
    data = tmp_path / "none" / "data"
    (tmp_path / "setup.cfg").write_text("[coverage:run]\nbranch = true\nsource = /nowhere\n")
    run(
        """
        os.chdir(PROJECT)
        measuring = CoverageRun(order())
        measuring.start()
        import app
        assert taken(measuring) == {"app.py": [1, 6]}
        """,
        COVERAGE_FILE=str(data),
        COVERAGE_DEBUG="trace,dataio",
    )
    assert not data.parent.exists()


def test_what_cannot_be_measured_is_a_warning(run: Callable[..., None]) -> None:
    run("""
        import warnings
        measuring = CoverageRun(order(plugins=("no_such_plugin",)))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            measuring.start()
        (warning,) = caught
        assert "ModuleNotFoundError: No module named 'no_such_plugin'" in str(warning.message)
        import app
        assert measuring.take() is None
        measuring.stop()
    """)


def test_a_measurement_that_fails_is_a_warning_and_the_end_of_it(
    run: Callable[..., None],
) -> None:
    run("""
        import warnings
        from coverage import CoverageData
        measuring = CoverageRun(order())
        measuring.start()
        import app
        def fail(*args): raise OSError("no memory")
        CoverageData.lines = fail
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert measuring.take() is None
        assert ["OSError: no memory" in str(one.message) for one in caught] == [True]
        assert measuring.take() is None
    """)


PLUGIN = """
from coverage import CoveragePlugin, FileTracer

class Templates(CoveragePlugin):
    def __init__(self, options):
        self.suffix = options["suffix"]

    def file_tracer(self, filename):
        return Template(filename, self.suffix) if filename.endswith("app.py") else None

class Template(FileTracer):
    def __init__(self, filename, suffix):
        self.name = filename + suffix

    def source_filename(self):
        return self.name

def coverage_init(registry, options):
    registry.add_file_tracer(Templates(options))
"""


def test_files_that_a_plugin_traces_are_named_with_it(
    run: Callable[..., None], tmp_path: Path
) -> None:
    (tmp_path / "templates.py").write_text(PLUGIN)
    run("""
        given = order(plugins=("templates",), core="ctrace")
        given = CoverageOrder(
            options=given.options, plugin_options={"templates": {"suffix": ".html"}}
        )
        measuring = CoverageRun(given)
        measuring.start()
        import app
        message = measuring.take()
        path = os.path.realpath(app.__file__) + ".html"
        assert json.loads(message.blob)[path] and message.tracers == {path: "templates.Templates"}
    """)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is new in Python 3.12")
def test_an_observer_and_a_measurement_use_sys_monitoring_side_by_side(
    run: Callable[..., None],
) -> None:
    run("""
        from pytest_stateless.guest.observe import hook
        from pytest_stateless.guest.observe.observer import Observer
        from pytest_stateless.guest.stack import StackReader
        from pytest_stateless.model.first_party import FirstParty

        observer = Observer(StackReader(FirstParty(roots=(PROJECT,))))
        observer.install()
        raised = []
        Observer.is_interesting = lambda self, error: raised.append(type(error))
        measuring = CoverageRun(order(core="sysmon"))
        measuring.start()
        assert sys.monitoring.get_tool(sys.monitoring.COVERAGE_ID) == "coverage.py"
        assert hook.TAPS.has_monitoring
        import app
        observer.begin("request")
        try: app.small("text")
        except TypeError: pass
        assert TypeError in raised
        assert taken(measuring) == {"app.py": [1, 2, 6]}
    """)
