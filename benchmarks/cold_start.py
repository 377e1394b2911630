"""How long a request to a fresh instance takes, beside a bare fork and a new interpreter.

For each app, in one run and in turns:

* bare fork: fork and wait of a process that has imported what the zygote has preloaded;
* cold request: `stateless.get`, served by a fresh instance, client and all; once with a pause
  before it, so that the spare instance is ready, and once back to back, where nothing is hidden;
* spawn request: the same with `start = "spawn"`;
* new interpreter: `python -c` that imports the same app.

Targets: a cold request takes at most 3 times a bare fork, and a new interpreter at least 50
times a cold request.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.bare_fork import resident_bytes, start_bare_fork
from benchmarks.bench import APPS_FOLDER, SUBJECTS, open_bench
from benchmarks.measure import Samples, milliseconds, print_table
from benchmarks.processes import zygote_pid
from pytest_stateless.forkserver.handle import ZygoteHandle

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from benchmarks.bare_fork import BareFork
    from benchmarks.bench import Bench, Subject
    from pytest_stateless.wire.control import Preload, Preloaded

MOST_FORKS = 3
LEAST_SPEED_UP = 50
_BURST = 5
_MEGA = 1e6


@dataclass(slots=True, kw_only=True)
class _Requests:
    """Requests of one kind: in all, and the parts that the exchange tells."""

    total: Samples = field(default_factory=Samples)
    cold_start: Samples = field(default_factory=Samples)
    handling: Samples = field(default_factory=Samples)

    def take(self, bench: Bench) -> None:
        """Send one request."""
        self.total.take(lambda: bench.stateless.get("/"))
        exchange = bench.stateless.last
        assert exchange is not None  # noqa: S101 (there has just been one)
        self.cold_start.values_s.append(exchange.cold_start_s)
        self.handling.values_s.append(exchange.handling_s)


@dataclass(slots=True, kw_only=True)
class _Results:
    """Everything that is measured of one app."""

    bare: Samples = field(default_factory=Samples)
    ready: _Requests = field(default_factory=_Requests)
    back_to_back: _Requests = field(default_factory=_Requests)
    spawn: _Requests = field(default_factory=_Requests)
    interpreter: Samples = field(default_factory=Samples)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--rounds", type=int, default=20, help="turns (default: 20)")
    parser.add_argument(
        "--pause-ms", type=float, default=50.0, help="pause for the spare instance (default: 50)"
    )
    parser.add_argument("--app", choices=[*SUBJECTS], action="append", help="default: all")


def run(options: argparse.Namespace) -> int:
    """Measure and print.

    Args:
        options: Of the command line.

    Returns:
        0; targets are printed, not enforced.
    """
    for name in options.app or SUBJECTS:
        _measure(SUBJECTS[name], rounds=options.rounds, pause_s=options.pause_ms / 1000)
    return 0


def _measure(subject: Subject, *, rounds: int, pause_s: float) -> None:
    with (
        _recorded_modules() as modules,
        open_bench(subject) as cold,
        open_bench(subject, start="spawn") as spawn,
    ):
        cold.stateless.get("/")
        spawn.stateless.get("/")
        with start_bare_fork(tuple(modules)) as bare:
            sizes = (zygote_pid(cold.platform), bare.pid)
            zygote_bytes, bare_bytes = (resident_bytes(pid) for pid in sizes)
            results = _Results()
            for _ in range(rounds):
                _take_turn(results, bare, cold, spawn, subject, pause_s)
    print(
        f"\n{subject.title}: zygote {zygote_bytes / _MEGA:.0f} MB, "
        f"bare process {bare_bytes / _MEGA:.0f} MB, {rounds} rounds"
    )
    _print_results(results)


@contextlib.contextmanager
def _recorded_modules() -> Iterator[list[str]]:
    """Note what zygotes are told to import."""
    modules: list[str] = []
    original = ZygoteHandle.preload

    def preload(self: ZygoteHandle, message: Preload) -> Preloaded:
        answer = original(self, message)
        dropped = {name for name, _ in answer.dropped}
        refused = frozenset(message.refused)
        modules.extend(
            name for name in message.modules if name not in dropped and name not in refused
        )
        return answer

    ZygoteHandle.preload = preload  # type: ignore[method-assign]
    try:
        yield modules
    finally:
        ZygoteHandle.preload = original  # type: ignore[method-assign]


def _take_turn(  # noqa: PLR0913, PLR0917 (what is compared)
    results: _Results,
    bare: BareFork,
    cold: Bench,
    spawn: Bench,
    subject: Subject,
    pause_s: float,
) -> None:
    for bench in (cold, spawn):
        bench.stateless.reset()  # as between two tests
    for _ in range(_BURST):
        time.sleep(pause_s)
        results.bare.values_s.append(bare.take())
        time.sleep(pause_s)
        results.ready.take(cold)
    for _ in range(_BURST):  # the request before has just ended: no spare instance is ready
        results.back_to_back.take(cold)
    time.sleep(pause_s)
    results.spawn.take(spawn)
    time.sleep(pause_s)
    results.interpreter.take(lambda: _import_anew(subject))


def _import_anew(subject: Subject) -> None:
    program = f"import sys; sys.path.insert(0, {str(APPS_FOLDER)!r}); import {subject.module}"
    subprocess.run([sys.executable, "-c", program], check=True)


def _print_results(results: _Results) -> None:
    bare = results.bare.median_s
    new = results.interpreter.median_s
    rows: list[tuple[str, ...]] = [_row("bare fork and wait", results.bare, bare, new)]
    for name, requests in (
        ("cold request, spare ready", results.ready),
        ("cold request, back to back", results.back_to_back),
        ("spawn request", results.spawn),
    ):
        rows.extend((
            _row(name, requests.total, bare, new),
            _row("  of it: cold start", requests.cold_start, bare, new),
            _row("  of it: handling", requests.handling, bare, new),
        ))
    rows.append(_row("new interpreter", results.interpreter, bare, new))
    header = ("", "median ms", "quartiles ms", "x bare fork", "new interpreter / it")
    print_table("medians", header, rows)
    for name, requests in (
        ("spare ready", results.ready),
        ("back to back", results.back_to_back),
    ):
        total = requests.total.median_s
        _print_target(
            f"cold request, {name}: {total / bare:.1f} x a bare fork, target at most {MOST_FORKS}",
            is_met=total <= MOST_FORKS * bare,
        )
        _print_target(
            f"cold request, {name}: {new / total:.0f} x faster than a new interpreter, "
            f"target at least {LEAST_SPEED_UP}",
            is_met=new >= LEAST_SPEED_UP * total,
        )


def _row(name: str, samples: Samples, bare_s: float, new_s: float) -> tuple[str, ...]:
    median = samples.median_s
    return (
        name,
        milliseconds(median),
        samples.spread,
        f"{median / bare_s:.1f}",
        f"{new_s / median:.1f}",
    )


def _print_target(text: str, *, is_met: bool) -> None:
    print(f"  {'met   ' if is_met else 'MISSED'}  {text}")
