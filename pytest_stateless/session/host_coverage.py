"""The measurement of coverage in the test process: what instances shall measure, and merging it.

coverage.py is looked at only where somebody has imported and started it, as pytest-cov and
`coverage run` do.

What has run in instances is written down with `add_lines` and `add_arcs`, the methods that
coverage's own collector uses, and as late as it does: at the end, or when the context has changed.
Until then there is no file of its, which a test might find, or remove, among its own.

Source: https://coverage.readthedocs.io/en/latest/api_coveragedata.html
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from pytest_stateless.model.coverage_order import CoverageOrder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from coverage import Coverage, CoverageData

    from pytest_stateless.model.coverage_order import Option
    from pytest_stateless.wire.measured import Measured

_OWN_FOLDER = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))  # noqa: PTH120 (a text)
_AS_THEY_ARE = (
    "run:branch",
    "run:core",
    "run:cover_pylib",
    "run:disable_warnings",
    "run:plugins",
    "run:timid",
)


class _Pending:
    """What has run in instances under one context, and is not written down yet."""

    def __init__(self, context: str | None) -> None:
        self.context = context
        self._run: dict[str, set[Any]] = {}
        self._tracers: dict[str, str] = {}
        self._is_branch = False

    def add(self, measured: Measured, rename: Callable[[str], str]) -> None:
        """Add what an instance says, under the names that files have here."""
        self._is_branch = measured.is_branch
        for path, found in json.loads(measured.blob).items():
            run = map(tuple, found) if measured.is_branch else found
            self._run.setdefault(rename(path), set()).update(run)
        self._tracers |= {rename(path): name for path, name in measured.tracers.items()}

    def write(self, data: CoverageData) -> None:
        """Write it down, and leave the context as it was."""
        current = _context_of(data)
        data.set_context(self.context)
        if self._is_branch:
            data.add_arcs(self._run)
        else:
            data.add_lines(self._run)
        data.add_file_tracers(self._tracers)
        data.set_context(current)


class HostCoverage:
    """The measurement of this process, if there is one; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._coverage: Coverage | None = None
        self._order: CoverageOrder | None = None
        self._pending: _Pending | None = None

    def order(self) -> CoverageOrder | None:
        """Tell what an instance shall measure now.

        Returns:
            The order; None if nothing is measured here.
        """
        current = _current()
        if current is None:
            return None
        with self._lock:
            return self._order_of(current)

    def _order_of(self, current: Coverage) -> CoverageOrder:
        if current is not self._coverage or self._order is None:
            self._write()
            self._coverage = current
            self._order = _read_order(current)
        return self._order

    def merge(self, measured: Measured) -> None:
        """Add what has run in an instance to what has run here.

        Args:
            measured: What the instance says; passed over if that is not measured here any more.
        """
        current = _current()
        if current is None:
            return
        with self._lock:
            if self._order_of(current).is_branch != measured.is_branch:
                return
            context = _context_of(_data_of(current))
            if self._pending is not None and self._pending.context != context:
                self._write()
            if self._pending is None:
                self._pending = _Pending(context)
            self._pending.add(measured, _renaming(current))
            _note_imported(current, measured.modules)

    def write(self) -> None:
        """Have everything written down; to be called at the end."""
        with self._lock:
            self._write()

    def _write(self) -> None:
        pending, self._pending = self._pending, None
        data = _data_of(self._coverage) if self._coverage is not None else None
        if pending is not None and data is not None:
            pending.write(data)


def _current() -> Coverage | None:
    module = sys.modules.get("coverage")
    current = getattr(getattr(module, "Coverage", None), "current", None)
    found: Coverage | None = current() if current is not None else None
    return found


def _option(current: Coverage, name: str) -> object:
    from coverage.exceptions import CoverageException  # noqa: PLC0415 (it is imported already)

    with contextlib.suppress(CoverageException):  # of a version that does not know it
        return current.get_option(name)
    return None


def _read_order(current: Coverage) -> CoverageOrder:
    """Gather what a measurement was configured with; its paths count from where it began."""
    from coverage.files import relative_directory  # noqa: PLC0415 (it is imported already)

    folder = relative_directory()
    sources = _texts(current, "run:source")
    # coverage.py tells folders and packages apart in this way
    folders = [path for path in sources if os.path.isdir(os.path.join(folder, path))]  # noqa: PTH112, PTH118
    options: dict[str, Option | None] = {
        name: _plain(_option(current, name)) for name in _AS_THEY_ARE
    }
    if _option(current, "run:dynamic_context") not in {None, "", "none"}:
        # as it decides here: the newest core knows no contexts
        options["run:core"] = options["run:core"] or "ctrace"
    options |= {
        # the other one reads a file in each process that the app starts
        "run:concurrency": tuple(
            name for name in _texts(current, "run:concurrency") if name != "multiprocessing"
        ),
        "run:source_dirs": _below(folder, [*folders, *_texts(current, "run:source_dirs")]),
        "run:source_pkgs": (
            *(name for name in sources if name not in folders),
            *_texts(current, "run:source_pkgs"),
        ),
        "run:include": _below(folder, _texts(current, "run:include")),
        "run:omit": (
            *_below(folder, _texts(current, "run:omit")),
            os.path.join(_OWN_FOLDER, "*"),  # noqa: PTH118 (a pattern)
        ),
    }
    return CoverageOrder(
        options={name: value for name, value in options.items() if value is not None},
        plugin_options={
            plugin: {
                name: plain
                for name, value in current.config.get_plugin_options(plugin).items()
                if (plain := _plain(value)) is not None
            }
            for plugin in _texts(current, "run:plugins")
        },
    )


def _texts(current: Coverage, name: str) -> tuple[str, ...]:
    value = _option(current, name)
    return tuple(map(str, value)) if isinstance(value, (list, tuple)) else ()


def _plain(value: object) -> Option | None:
    if isinstance(value, (list, tuple)):
        return tuple(map(str, value))
    return value if isinstance(value, (bool, str)) else None


def _below(folder: str, paths: Iterable[str]) -> tuple[str, ...]:
    """Make paths and patterns absolute; a pattern that begins with a wildcard fits anywhere."""
    return tuple(
        path if path.startswith(("*", "?")) else os.path.join(folder, path)  # noqa: PTH118
        for path in paths
    )


def _data_of(current: Coverage) -> CoverageData | None:
    """Find what a measurement writes to; the documented way has everything written at once."""
    return current._data  # noqa: SLF001 (see above)


def _context_of(data: CoverageData | None) -> str | None:
    """Find the current context; the documented way is new in coverage.py 7.16."""
    context: str | None = getattr(data, "_current_context", None)
    return context


def _renaming(current: Coverage) -> Callable[[str], str]:
    from coverage.files import relative_filename  # noqa: PLC0415 (it is imported already)

    return relative_filename if _option(current, "run:relative_files") else str


def _note_imported(current: Coverage, modules: dict[str, str]) -> None:
    """Have packages that were imported in an instance treated as if they were imported here.

    At its end coverage.py warns of packages that it was to measure and never met, and looks for
    their files that did not run where `sys.modules` has them. There is no documented way to tell
    it otherwise.

    Source: `warn_unimported_source` and `find_possibly_unexecuted_files` in
    https://github.com/coveragepy/coveragepy/blob/main/coverage/inorout.py
    """
    decider = current._inorout  # noqa: SLF001 (see above)
    if decider is None:
        return
    for name, file in modules.items():
        if name in decider.source_pkgs_unmatched:
            decider.source_pkgs_unmatched.remove(name)
        folder, base = os.path.split(file)
        is_package = base == "__init__.py" and name not in sys.modules
        if is_package and folder not in decider.source_dirs:
            decider.source_dirs.append(folder)
