"""Measuring which lines run in this process, with coverage.py, as the test process does.

Only documented methods are used, and two of them for what they do beside: `get_data` looks
through all source folders for files that did not run, whenever it is called after the start; so it
is called before. `switch_context` writes down what has run so far, and nothing else.

What is sent after each request is what has run since the last one: the test process writes it
down under its own context of that moment (pytest-cov's `--cov-context=test`), where what ran in an
earlier request has no place, and a warm instance sends nothing twice.

To start for the first time takes as long as several requests: coverage.py looks at its own stack
with `inspect`, at all folders of `sys.path`, and once at each file that runs. So a zygote makes a
measurement ready, and processes that are forked from it go on with that one. What a zygote imports
ahead is measured too, since no instance imports it again.

Source: https://coverage.readthedocs.io/en/latest/api_coverage.html
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import warnings
from importlib.machinery import PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pytest_stateless.wire.measured import Measured

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from importlib.machinery import ModuleSpec

    from coverage import Coverage, CoverageData

    from pytest_stateless.model.coverage_order import CoverageOrder, Option

_HERE: dict[str, Option] = {"run:data_file": ".coverage", "run:debug": ()}
"""What the environment may say otherwise; the file is never made."""
_NO_WARNINGS = ("no-sysmon-context", "dynamic-conflict", "include-ignored")
"""Contexts are of use here whatever the core: they tell one request's lines from another's. And of
what the configuration asks for in vain, the test process has been told."""
_TOOLS = 6
"""As many as `sys.monitoring` has room for."""


class CoverageRun:
    """The measurement of one process; of an instance, from before its app is imported.

    Whatever fails in here is a warning, and then nothing is measured: an app is not to fail for
    being watched.

    Args:
        order: What to measure.
    """

    def __init__(self, order: CoverageOrder) -> None:
        self.order = order
        self._coverage: Coverage | None = None
        self._data: CoverageData | None = None
        self._context = 0
        self._is_on = False

    def start(self) -> None:
        """Measure from now on, and instead of what was measuring in this process."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the test process has been warned already
                self._start()
        except Exception as error:  # noqa: BLE001 (plugins of coverage's may raise anything)
            self._give_up(error)

    def _start(self) -> None:
        from coverage import Coverage  # noqa: PLC0415 (only where the test process has it)

        while (inherited := Coverage.current()) is not None:
            inherited.stop()  # of a process that was forked: what it has measured is not ours
        if self._coverage is None:
            self._coverage = self._make(Coverage)
        if self._coverage is None:
            return
        if self._data is None:
            self._data = self._coverage.get_data()
        with _found(self.order.modules):
            self._coverage.start()
        self._is_on = True
        self._switch()
        self._data.set_query_context("")  # makes its database, while nobody waits

    def _make(self, kind: type[Coverage]) -> Coverage | None:
        order = self.order
        folders = tuple(path for path in order.folders if os.path.isdir(path))
        if order.folders and not folders and not order.modules:
            return None  # what is to be measured is not here; without, everything would be
        made = kind(data_file=None, config_file=False)
        for name, value in {
            **order.options,
            **_HERE,
            "run:source_dirs": folders,
            "run:disable_warnings": (*order.silent, *_NO_WARNINGS),
        }.items():
            made.set_option(name, _given(value))
        for plugin, settings in order.plugin_options.items():
            for name, value in settings.items():
                made.set_option(f"{plugin}:{name}", _given(value))
        return made

    def take(self) -> Measured | None:
        """Tell what has run since the start or the last call.

        Returns:
            The message for the host; None if nothing is measured.
        """
        if not self._is_on or self._data is None:
            return None
        try:
            return self._take(self._data)
        except Exception as error:  # noqa: BLE001 (plugins of coverage's may raise anything)
            self._give_up(error)
            return None

    def _take(self, data: CoverageData) -> Measured:
        data.set_query_context(self._switch())
        run: dict[str, Collection[object]] = {}
        for path in data.measured_files():
            found = data.arcs(path) if self.order.is_branch else data.lines(path)
            if found:
                run[path] = found
        tracers = {path: data.file_tracer(path) for path in run} if self.order.plugins else {}
        if _is_monitoring():
            self._restart()
        return Measured(
            is_branch=self.order.is_branch,
            modules=dict(_met(self.order.modules, run)),
            tracers={path: name for path, name in tracers.items() if name},
            blob=json.dumps(run, separators=(",", ":")).encode(),
        )

    def _switch(self) -> str:
        """Write down what has run, and begin anew.

        Returns:
            The context under which it has been written.
        """
        assert self._coverage is not None  # noqa: S101 (it has been started)
        before, self._context = str(self._context), self._context + 1
        self._coverage.switch_context(str(self._context))
        return before

    def _restart(self) -> None:
        """Have what has run told again if it runs again; that core tells each line once.

        Until coverage.py 7.16 it tells no new line either of functions that have run before what
        had run was written down.
        """
        assert self._coverage is not None  # noqa: S101 (it has been started)
        self._coverage.stop()
        with _found(self.order.modules):
            self._coverage.start()

    def stop(self) -> None:
        """Measure no more, and forget what has not been taken."""
        if self._is_on and self._coverage is not None and self._data is not None:
            self._switch()
            self._coverage.stop()
            self._data.erase()
        self._is_on = False

    def decide(self) -> None:
        """Have it decided whether the files of the loaded modules are measured.

        That is done when code of a file is called for the first time; so some that does nothing
        is.
        """
        for name, module in list(sys.modules.items()):
            # not by getattr: a lazy module is not to be asked for anything
            path = getattr(module, "__dict__", {}).get("__file__")
            if isinstance(path, str) and path.endswith(".py"):
                exec(compile("", path, "exec"), {"__name__": name, "__file__": path})  # noqa: S102

    def _give_up(self, error: Exception) -> None:
        if self._coverage is not None and self._is_on:
            self._coverage.stop()
        self._is_on = False
        warnings.warn(
            "pytest-stateless: the lines that run in this instance are not measured: coverage.py "
            f"failed with {type(error).__name__}: {error}",
            UserWarning,
            stacklevel=1,
        )


class _Ready:
    """The measurement that this process, or the one it was forked from, has made ready."""

    __slots__ = ("run",)

    def __init__(self) -> None:
        self.run: CoverageRun | None = None


_READY = _Ready()


def make_ready(order: CoverageOrder) -> None:
    """Do ahead what can be done, for the processes that will be forked from this one.

    Args:
        order: What they will measure.
    """
    run = CoverageRun(order)
    run.start()
    run.decide()
    run.stop()
    _READY.run = run


def ready_run(order: CoverageOrder | None) -> CoverageRun | None:
    """Return the measurement that is ready, if it is this one.

    Args:
        order: What to measure; None for nothing.

    Returns:
        The measurement, not started; None if there is none.
    """
    run = _READY.run
    return run if run is not None and run.order == order else None


def _is_monitoring() -> bool:
    """Tell whether coverage.py measures with `sys.monitoring`, its core `sysmon`."""
    monitoring: Any = getattr(sys, "monitoring", None)  # Python 3.12 and later
    if monitoring is None:
        return False
    return any(monitoring.get_tool(number) == "coverage.py" for number in range(_TOOLS))


def _given(value: Option) -> bool | str | list[str]:
    return list(value) if isinstance(value, tuple) else value


def _met(names: Iterable[str], run: Collection[str]) -> Iterator[tuple[str, str]]:
    """Find which of these modules were imported, also one whose import failed."""
    for name in names:
        module = sys.modules.get(name)
        if module is not None:
            file = getattr(module, "__file__", None)
            yield name, file if isinstance(file, str) else ""
        else:
            origin = getattr(_find(name), "origin", None)
            if isinstance(origin, str) and os.path.realpath(origin) in run:
                yield name, ""


@contextlib.contextmanager
def _found(names: Iterable[str]) -> Iterator[None]:
    """Let coverage.py find modules within packages without importing the packages.

    At its start it asks `importlib.util.find_spec` where the modules are that it shall measure,
    which imports the packages around them: the app's code would run before its time, and again.

    Args:
        names: Full names.

    Yields:
        While they are found as if they were imported.

    Source: `file_and_path_for_module` in
    https://github.com/coveragepy/coveragepy/blob/main/coverage/inorout.py
    """
    stand_ins: dict[str, ModuleType] = {}
    for name in names:
        if "." in name and name not in sys.modules:
            stand_ins[name] = ModuleType(name)
            stand_ins[name].__spec__ = _find(name)
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name in stand_ins:
            del sys.modules[name]


def _find(name: str) -> ModuleSpec | None:
    spec: ModuleSpec | None = None
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        folders = spec.submodule_search_locations if spec is not None else None
        if count > 1 and folders is None:
            return None
        spec = PathFinder.find_spec(".".join(parts[:count]), folders)
    return spec
