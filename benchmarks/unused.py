"""What the plugin costs pytest's start where it is installed and nobody uses it.

`pytest --collect-only` on an empty folder, with the plugin and with `-p no:stateless`, in turns;
once with no other plugin, so that it pays for every module of the standard library that it is
the first to import, and once among all plugins that are installed here. Targets: less than 10 ms
more, and none of hypothesis, moto, boto3, pyfakefs and httpx2 imported by it.
"""

from __future__ import annotations

import functools
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.measure import Samples, milliseconds, print_table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

MOST_MS = 10.0
FORBIDDEN = ("hypothesis", "moto", "boto3", "pyfakefs", "httpx2")

_MILLI = 1000.0
_ARGUMENTS = ("--collect-only", "-q", "-p", "no:cacheprovider")
_WITHOUT = ("-p", "no:stateless")
_WITH_ALONE = ("-p", "stateless")
_NO_TESTS = 5
_REPORT = (
    "import json, sys, pytest; pytest.main(sys.argv[1:]); "
    "print(); print(json.dumps(sorted(sys.modules)))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Setting:
    """Where pytest is started.

    Attributes:
        title: For people.
        folder: An empty folder.
        environ: The environment.
        with_it: What is added to the environment so that the plugin is loaded.
        without: What is added in its stead.
    """

    title: str
    folder: str
    environ: Mapping[str, str]
    with_it: Mapping[str, str] = field(default_factory=dict)
    without: Mapping[str, str] = field(default_factory=dict)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--rounds", type=int, default=25, help="turns (default: 25)")


def run(options: argparse.Namespace) -> int:
    """Measure and print.

    Args:
        options: Of the command line.

    Returns:
        1 if a forbidden module was imported, else 0; the time is printed, not enforced.
    """
    environ = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    with tempfile.TemporaryDirectory() as folder:
        alone = _Setting(
            title="no other plugin",
            folder=folder,
            environ={**environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            # naming a plugin makes pytest search all distributions for it: so name one in both
            with_it={"PYTEST_PLUGINS": "pytest_stateless.plugin"},
            without={"PYTEST_PLUGINS": "colorsys"},
        )
        among = _Setting(title="among the installed plugins", folder=folder, environ=environ)
        for setting in (alone, among):
            _compare(setting, options.rounds)
        added = _modules(alone, is_loaded=True) - _modules(alone, is_loaded=False)
    heavy = sorted(name for name in added if name.partition(".")[0] in FORBIDDEN)
    others = sorted(name for name in added if name.partition(".")[0] != "pytest_stateless")
    print(f"\n  modules that the plugin adds: {len(added)}")
    print(f"  of them not its own: {', '.join(others) or 'none'}")
    print(f"  of them forbidden ({', '.join(FORBIDDEN)}): {', '.join(heavy) or 'none'}")
    return 1 if heavy else 0


def _compare(setting: _Setting, rounds: int) -> None:
    """Time both in turns, each first in every other turn."""
    with_it, without = _Costs(), _Costs()
    pair = [(with_it, True), (without, False)]
    for _, is_loaded in pair:
        _collect(setting, is_loaded=is_loaded)  # compiled code is cached by now
    for number in range(rounds):
        for costs, is_loaded in pair if number % 2 else reversed(pair):
            costs.take(functools.partial(_collect, setting, is_loaded=is_loaded))
    added_s = with_it.wall.median_s - without.wall.median_s
    added_cpu_s = with_it.cpu.median_s - without.cpu.median_s
    added_least_s = with_it.wall.least_s - without.wall.least_s
    print_table(
        f"pytest --collect-only on an empty folder, {setting.title}, {rounds} rounds",
        ("", "median ms", "quartiles ms", "least ms", "processor ms"),
        [
            ("with the plugin", *with_it.cells),
            ("with -p no:stateless", *without.cells),
            (
                "difference",
                milliseconds(added_s),
                "",
                milliseconds(added_least_s),
                milliseconds(added_cpu_s),
            ),
        ],
    )
    verdict = "met   " if added_s * _MILLI < MOST_MS else "MISSED"
    print(f"  {verdict}  {milliseconds(added_s)} ms more, target less than {MOST_MS:.0f}")


@dataclass(slots=True, kw_only=True)
class _Costs:
    """What starts of pytest took: the wall's time, and processor time of all its processes."""

    wall: Samples = field(default_factory=Samples)
    cpu: Samples = field(default_factory=Samples)

    def take(self, action: Callable[[], object]) -> None:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.wall.take(action)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        self.cpu.values_s.append(cpu_s)

    @property
    def cells(self) -> tuple[str, str, str, str]:
        wall = self.wall
        least, cpu = milliseconds(wall.least_s), milliseconds(self.cpu.median_s)
        return milliseconds(wall.median_s), wall.spread, least, cpu


def _collect(setting: _Setting, *, is_loaded: bool) -> None:
    ended = _start(setting, ("-m", "pytest"), is_loaded=is_loaded)
    if ended.returncode != _NO_TESTS:
        raise RuntimeError(ended.stdout + ended.stderr)


def _modules(setting: _Setting, *, is_loaded: bool) -> set[str]:
    ended = _start(setting, ("-c", _REPORT), is_loaded=is_loaded)
    return set(json.loads(ended.stdout.splitlines()[-1]))


def _start(
    setting: _Setting, program: tuple[str, ...], *, is_loaded: bool
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *program, *_ARGUMENTS, *(() if is_loaded else _WITHOUT)],
        check=False,
        cwd=setting.folder,
        env={**setting.environ, **(setting.with_it if is_loaded else setting.without)},
        capture_output=True,
        text=True,
    )
