"""What measuring coverage adds to a request, in one run and in turns with requests without.

* spare ready: a cold request after a pause, so that the spare instance is ready;
* back to back: a cold request right after another, where nothing is hidden;
* warm: a request to an instance that is kept.

Each with coverage off, and with lines and with branches measured. The process that measures writes
a file, as it does for pytest-cov.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import coverage

from benchmarks.bench import APPS_FOLDER, SUBJECTS, open_bench
from benchmarks.measure import Samples, milliseconds, print_table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from benchmarks.bench import Bench, Subject

_KINDS = ("spare ready", "back to back", "warm")


class _Way:
    """Requests with one measurement, or with none."""

    def __init__(self, bench: Bench, measuring: coverage.Coverage | None) -> None:
        self._bench = bench
        self._measuring = measuring
        self.samples = {kind: Samples() for kind in _KINDS}

    @contextlib.contextmanager
    def on(self) -> Iterator[None]:
        """Have this measurement run, and no other."""
        with self._measuring.collect() if self._measuring else contextlib.nullcontext():
            yield

    def take_turn(self, *, pause_s: float) -> None:
        """Send requests of each kind."""
        stateless = self._bench.stateless
        with self.on():
            stateless.reset()  # as between two tests
            stateless.get("/")
            for _ in range(5):
                time.sleep(pause_s)
                self.samples["spare ready"].take(lambda: stateless.get("/"))
            for _ in range(5):
                self.samples["back to back"].take(lambda: stateless.get("/"))
            with stateless.warm():
                stateless.get("/")
                for _ in range(5):
                    self.samples["warm"].take(lambda: stateless.get("/"))


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--rounds", type=int, default=10, help="turns (default: 10)")
    parser.add_argument(
        "--pause-ms", type=float, default=100.0, help="pause for the spare instance (default: 100)"
    )
    parser.add_argument("--app", choices=[*SUBJECTS], action="append", help="default: flask")


def run(options: argparse.Namespace) -> int:
    """Measure and print.

    Args:
        options: Of the command line.

    Returns:
        0.
    """
    for name in options.app or ("flask",):
        _measure(SUBJECTS[name], rounds=options.rounds, pause_s=options.pause_ms / 1000)
    return 0


def _measure(subject: Subject, *, rounds: int, pause_s: float) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        open_bench(subject) as off,
        open_bench(subject) as lines,
        open_bench(subject) as branches,
    ):
        ways = {
            "off": _Way(off, None),
            "lines": _Way(lines, _measurement(Path(folder, "lines"), branch=False)),
            "branches": _Way(branches, _measurement(Path(folder, "branches"), branch=True)),
        }
        for _ in range(rounds):
            for way in ways.values():
                way.take_turn(pause_s=pause_s)
    without = ways["off"].samples
    rows = [
        (
            f"{kind}, {name}",
            milliseconds(samples.median_s),
            samples.spread,
            milliseconds(samples.median_s - without[kind].median_s),
        )
        for kind in _KINDS
        for name, way in ways.items()
        for samples in (way.samples[kind],)
    ]
    print(f"\n{subject.title}, {rounds} rounds")
    print_table("a request", ("", "median ms", "quartiles ms", "more than off"), rows)


def _measurement(file: Path, *, branch: bool) -> coverage.Coverage:
    return coverage.Coverage(
        data_file=file, config_file=False, branch=branch, source=[str(APPS_FOLDER)]
    )
