"""What each isolation and start method costs, beside a bare fork and other tools.

In one run and in turns:

* sealing: fork, seal, prove and wait, beside fork and wait of the same process; as this user, and
  as an ordinary user if this is root;
* requests: `stateless.get` of a Flask app with boto3, under each isolation and start method;
* bubblewrap, if it is installed: a program in a read-only tree, beside the same program without;
* pytest-forked, if it is installed with a pytest that it supports: an empty test in a fork, beside
  the same test without.

Targets, over a bare fork: namespace at most 1.5 ms as an ordinary user, landlock at most 1 ms, fake
at most 3 ms.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.bench import SUBJECTS, open_bench
from benchmarks.measure import Samples, milliseconds, print_table
from pytest_stateless.forkserver.probe import probe
from pytest_stateless.model.isolation import NAMES

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from benchmarks.bench import Bench
    from pytest_stateless.model.isolation import IsolationName
    from pytest_stateless.session.options import Start

MOST_OVER_FORK_MS = {"namespace": 1.5, "landlock": 1.0, "fake": 3.0}
PROJECT = Path(__file__).resolve().parent.parent
_UNPRIVILEGED = PROJECT / "tests" / "unprivileged" / "run_unprivileged.py"
_STARTS: tuple[Start, ...] = ("cold", "snapshot", "spawn")
_SLOW_ROUNDS = 5
_TESTS = 50
_EMPTY_SUITE = f"""
import pytest

@pytest.mark.parametrize("number", range({_TESTS}))
def test_nothing(number):
    pass
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--rounds", type=int, default=100, help="turns (default: 100)")


def run(options: argparse.Namespace) -> int:
    """Measure and print.

    Args:
        options: Of the command line.

    Returns:
        0; targets are printed, not enforced.
    """
    names = [name for name in NAMES if not probe(name).refusal]
    for name in NAMES:
        if name not in names:
            print(f"not measured: isolation {name}: {probe(name).refusal}")
    _measure_sealing(names, options.rounds, is_ordinary=False)
    if os.getuid() == 0:
        _measure_sealing(names, options.rounds, is_ordinary=True)
    _measure_requests(names, options.rounds)
    _measure_bubblewrap(options.rounds)
    _measure_forked()
    return 0


def _measure_sealing(names: Sequence[IsolationName], rounds: int, *, is_ordinary: bool) -> None:
    user = "an ordinary user" if is_ordinary or os.getuid() else "root"
    rows: list[tuple[str, ...]] = []
    verdicts: list[str] = []
    for name in names:
        program = [sys.executable, "-m", "benchmarks.sealed_fork", name, str(rounds)]
        before = [sys.executable, str(_UNPRIVILEGED), "--"] if is_ordinary else []
        ended = subprocess.run(
            [*before, *program], check=False, capture_output=True, text=True, cwd=PROJECT
        )
        if ended.returncode:
            print(f"not measured: isolation {name} as {user}: {ended.stderr.strip()}")
            continue
        times = json.loads(ended.stdout)
        bare, sealed = Samples(times["bare"]), Samples(times["sealed"])
        over_ms = (sealed.median_s - bare.median_s) * 1000
        rows.append((
            name,
            milliseconds(bare.median_s),
            milliseconds(sealed.median_s),
            f"{over_ms:.2f}",
            f"{sealed.median_s / bare.median_s:.1f}",
        ))
        most = MOST_OVER_FORK_MS[name]
        word = "met   " if over_ms <= most else "MISSED"
        verdicts.append(f"  {word}  {name}: {over_ms:.2f} ms over a fork, target at most {most}")
    header = ("isolation", "fork ms", "sealed ms", "over it ms", "x fork")
    print_table(f"fork, seal, prove and wait, as {user}: medians of {rounds}", header, rows)
    print("\n".join(verdicts))


def _measure_requests(names: Sequence[IsolationName], rounds: int) -> None:
    rows: list[tuple[str, ...]] = []
    with contextlib.ExitStack() as stack:
        benches = {
            (name, start): stack.enter_context(
                open_bench(SUBJECTS["flask"], start=start, isolation=name)
            )
            for name in names
            for start in _STARTS
        }
        samples = {key: Samples() for key in benches}
        for key, bench in benches.items():
            _warm_up(key[1], bench)
        for number in range(rounds):
            for key, bench in benches.items():
                if key[1] != "spawn" or number < _SLOW_ROUNDS:
                    time.sleep(0.02)  # for the spare instance
                    samples[key].take(lambda bench=bench: bench.stateless.get("/"))  # type: ignore[misc]
                    bench.stateless.reset()
    least = min(one.median_s for one in samples.values())
    for (name, start), taken in samples.items():
        row = (f"{name}, {start}", milliseconds(taken.median_s), taken.spread)
        rows.append((*row, f"{taken.median_s / least:.1f}"))
    header = ("isolation, start", "median ms", "quartiles ms", "x least")
    print_table(f"a request to {SUBJECTS['flask'].title}", header, rows)


def _warm_up(start: Start, bench: Bench) -> None:
    if start == "snapshot":
        # what a suite that makes the app itself has imported
        subject = SUBJECTS["flask"]
        importlib.import_module(subject.module)
    bench.stateless.get("/")


def _measure_bubblewrap(rounds: int) -> None:
    program, bwrap = shutil.which("true"), shutil.which("bwrap")
    if bwrap is None or program is None:
        print("\nnot measured: bubblewrap is not installed (bwrap)")
        return
    tree = ("--ro-bind", "/", "/", "--dev", "/dev", "--tmpfs", "/tmp", "--unshare-ipc")
    plain, wrapped = Samples(), Samples()
    for _ in range(rounds):
        plain.take(lambda: subprocess.run([program], check=True))
        wrapped.take(lambda: subprocess.run([bwrap, *tree, program], check=True))
    over_ms = (wrapped.median_s - plain.median_s) * 1000
    rows = [
        ("a program", milliseconds(plain.median_s), ""),
        ("in bubblewrap", milliseconds(wrapped.median_s), f"{over_ms:.2f}"),
    ]
    print_table("bubblewrap", ("", "median ms", "over it ms"), rows)


def _measure_forked() -> None:
    if importlib.util.find_spec("pytest_forked") is None:
        print("\nnot measured: pytest-forked is not installed")
        return
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_nothing.py").write_text(_EMPTY_SUITE, encoding="utf-8")
        plain, forked = _time_suite(folder), _time_suite(folder, "--forked")
    if plain is None or forked is None:
        print("\nnot measured: pytest-forked does not work with this pytest")
        return
    over_ms = (forked - plain) / _TESTS * 1000
    print(f"\npytest-forked: {over_ms:.2f} ms over the same empty test in the process")


def _time_suite(folder: str, *options: str) -> float | None:
    program = [sys.executable, "-m", "pytest", "-q", "-p", "no:stateless", *options, folder]
    samples = Samples()
    for _ in range(_SLOW_ROUNDS):
        started = time.perf_counter()
        ended = subprocess.run(program, check=False, capture_output=True, cwd=folder)
        if ended.returncode:
            return None
        samples.values_s.append(time.perf_counter() - started)
    return samples.median_s
