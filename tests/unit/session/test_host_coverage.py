from __future__ import annotations

import contextlib
import json
import runpy
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from coverage import Coverage

import pytest_stateless
from pytest_stateless.model.coverage_order import CoverageOrder, without_coverage
from pytest_stateless.session.host_coverage import HostCoverage
from pytest_stateless.wire.measured import Measured

if TYPE_CHECKING:
    from collections.abc import Iterator

PLUGIN = """
from coverage import CoveragePlugin

def coverage_init(registry, options):
    registry.add_file_tracer(CoveragePlugin())
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a package, of which nothing is imported here."""
    for name in ("__init__.py", "app.py", "unused.py"):
        path = tmp_path / "src" / "hc_shop" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("one = 1\ntwo = 2\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COVERAGE_FILE", str(tmp_path / "data"))
    monkeypatch.setenv("COVERAGE_CORE", "ctrace")
    monkeypatch.setattr(Coverage, "_instances", [])  # of whoever measures this suite
    return tmp_path


@contextlib.contextmanager
def measuring(project: Path, *lines: str, **options: Any) -> Iterator[Coverage]:  # noqa: ANN401
    """Measure this process, as a configuration file says."""
    (project / "given.cfg").write_text("\n".join(("[run]", *lines)))
    coverage = Coverage(config_file="given.cfg", **options)
    with coverage.collect():
        yield coverage


def order_of(project: Path, *lines: str, **options: Any) -> CoverageOrder:  # noqa: ANN401
    with measuring(project, *lines, **options):
        order = HostCoverage().order()
    assert order is not None
    return order


def message(path: str | Path, found: list[Any], **fields: Any) -> Measured:  # noqa: ANN401
    blob = json.dumps({str(path): found}).encode()
    return Measured(**{"is_branch": False, "blob": blob, **fields})


# what instances are told


def test_where_nothing_is_measured_nothing_is_ordered(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = HostCoverage()
    assert host.order() is None
    host.merge(message(project / "app.py", [1]))
    monkeypatch.delitem(sys.modules, "coverage")
    assert host.order() is None
    assert "coverage" not in sys.modules


def test_folders_and_patterns_count_from_where_the_measurement_began(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ("source = src, hc_shop", "source_dirs = src/hc_shop", "omit = */x/*, src/y/*")
    with measuring(project, *lines):
        monkeypatch.chdir("/")
        order = HostCoverage().order()
    assert order is not None
    assert order.folders == (str(project / "src"), str(project / "src" / "hc_shop"))
    assert order.modules == ("hc_shop",)
    own = Path(pytest_stateless.__file__).parent
    assert order.options["run:omit"] == ("*/x/*", str(project / "src/y/*"), str(own / "*"))


def test_what_is_measured_and_how_is_passed_on(project: Path) -> None:
    order = order_of(
        project,
        "branch = true",
        "include = src/*, ?rc",
        "concurrency = thread",
        "disable_warnings = no-data-collected",
    )
    assert order.is_branch
    assert order.options["run:include"] == (str(project / "src/*"), "?rc")
    assert order.options["run:concurrency"] == ("thread",)
    assert order.options["run:core"] == "ctrace"
    assert order.silent == ("no-data-collected",)
    # these are for the process that writes the file
    assert not order.options.keys() & {"run:context", "run:parallel", "run:patch", "run:data_file"}


@pytest.mark.usefixtures("project")
def test_processes_that_an_app_starts_are_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    # not started: it would patch multiprocessing here
    started = Coverage(config_file=False, concurrency=["thread", "multiprocessing"])
    monkeypatch.setattr(Coverage, "_instances", [started])
    order = HostCoverage().order()
    assert order is not None
    assert order.options["run:concurrency"] == ("thread",)


def test_nothing_is_branch_by_default(project: Path) -> None:
    assert not order_of(project).is_branch
    assert not CoverageOrder().is_branch


def test_where_contexts_change_by_themselves_instances_use_the_core_that_knows_them(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COVERAGE_CORE")
    assert "run:core" not in order_of(project).options
    dynamic = order_of(project, "dynamic_context = test_function")
    assert dynamic.options["run:core"] == "ctrace"


def test_plugins_are_passed_on_with_what_the_configuration_says_to_them(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "hc_plugin.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(project)
    order = order_of(project, "plugins = hc_plugin", "[hc_plugin]", "suffix = .html")
    assert order.plugins == ("hc_plugin",)
    assert order.plugin_options == {"hc_plugin": {"suffix": ".html"}}


def test_another_measurement_is_another_order(project: Path) -> None:
    host = HostCoverage()
    with measuring(project):
        first = host.order()
        with measuring(project, "branch = true"):
            assert host.order() != first
        assert host.order() == first
    assert host.order() is None


def test_instances_do_not_start_a_measurement_by_themselves() -> None:
    environ = {"COVERAGE_PROCESS_START": "x", "COVERAGE_PROCESS_CONFIG": "y", "COVERAGE_CORE": "z"}
    assert without_coverage(environ) == {"COVERAGE_CORE": "z"}


# what comes back


def test_lines_are_added_under_the_context_of_their_moment(project: Path) -> None:
    host, app = HostCoverage(), str(project / "app.py")
    with measuring(project, "context = here") as coverage:
        for context, lines in (("one", [1]), ("one", [2]), ("two", [2, 3]), ("one", [4])):
            coverage.switch_context(context)
            host.merge(message(app, lines))
        coverage.switch_context("three")
        host.write()
        host.merge(message(app, [5]))
        host.write()
    contexts = coverage.get_data().contexts_by_lineno(app)
    assert {line: sorted(names) for line, names in contexts.items()} == {
        1: ["here|one"],
        2: ["here|one", "here|two"],
        3: ["here|two"],
        4: ["here|one"],
        5: ["here|three"],
    }


def test_what_runs_here_after_it_was_written_keeps_its_own_context(project: Path) -> None:
    host = HostCoverage()
    (project / "hc_here.py").write_text("def f():\n    return 1\n")
    with measuring(project) as coverage:
        coverage.switch_context("instances")
        host.merge(message(project / "app.py", [1]))
        coverage.switch_context("here")
        host.write()
        runpy.run_path(str(project / "hc_here.py"))
    contexts = coverage.get_data().contexts_by_lineno(str(project / "hc_here.py"))
    assert contexts == {1: ["here"]}


def test_nothing_is_written_to_a_file_before_the_end(project: Path) -> None:
    host, app = HostCoverage(), str(project / "app.py")
    with measuring(project) as coverage:
        for line in range(3):
            host.merge(message(app, [line]))
        assert not list(project.glob("data*"))
        host.write()
        host.write()  # nothing is left
    assert sorted(coverage.get_data().lines(app) or ()) == [0, 1, 2]


def test_each_measurement_gets_what_was_measured_for_it(project: Path) -> None:
    host, app = HostCoverage(), str(project / "app.py")
    with measuring(project, "branch = true") as first:
        host.merge(message(app, [[-1, 1]], is_branch=True))
    with measuring(project, data_file="other") as second:
        host.merge(message(app, [2]))
        host.write()
    assert first.get_data().arcs(app) == [(-1, 1)]
    assert second.get_data().lines(app) == [2]


def test_pairs_of_lines_are_added_to_pairs(project: Path) -> None:
    host, app = HostCoverage(), str(project / "app.py")
    with measuring(project, "branch = true") as coverage:
        for arcs in ([[-1, 1]], [[-1, 1], [1, 2]]):
            host.merge(message(app, arcs, is_branch=True))
        host.write()
    assert sorted(coverage.get_data().arcs(app) or ()) == [(-1, 1), (1, 2)]


def test_what_was_measured_otherwise_is_passed_over(project: Path) -> None:
    host, app = HostCoverage(), str(project / "app.py")
    with measuring(project, "branch = true") as coverage:
        host.merge(message(app, [1]))
        host.write()
    assert app not in coverage.get_data().measured_files()


def test_files_get_the_names_that_they_have_here(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = HostCoverage()
    with measuring(project, "relative_files = true") as coverage:
        monkeypatch.chdir("/")
        tracers = {str(project / "app.html"): "plugin.Templates"}
        host.merge(message(project / "app.html", [1], tracers=tracers))
        host.write()
    data = coverage.get_data()
    assert data.lines("app.html") == [1]
    assert data.file_tracer("app.html") == "plugin.Templates"


def test_a_package_that_instances_imported_counts_as_imported(project: Path) -> None:
    package, host = project / "src" / "hc_shop", HostCoverage()
    with measuring(project, "source = hc_shop") as coverage, warnings.catch_warnings():
        warnings.simplefilter("error")
        modules = {"hc_shop": str(package / "__init__.py")}
        for _ in range(2):
            host.merge(message(package / "app.py", [1, 2], modules=modules))
        host.write()
        data = coverage.get_data()
    assert data.lines(str(package / "unused.py")) == []
    assert sorted(data.lines(str(package / "app.py")) or ()) == [1, 2]


def test_of_a_package_that_nobody_imported_coverage_warns_as_ever(project: Path) -> None:
    host = HostCoverage()
    with measuring(project, "source = hc_shop, hc_typo") as coverage:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            host.merge(message(project / "app.py", [1], modules={"hc_shop": ""}))
            host.write()
        with pytest.warns(Warning, match="hc_typo was never imported") as caught:
            coverage.get_data()
    assert len(caught) == 1
