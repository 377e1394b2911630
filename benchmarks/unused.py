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
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.measure import Samples, milliseconds, print_table

if TYPE_CHECKING:
    import argparse

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
        with_it: Arguments by which the plugin is loaded there, beside its being installed.
    """

    title: str
    folder: str
    environ: Mapping[str, str]
    with_it: tuple[str, ...] = ()


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
            with_it=("-p", "stateless"),
        )
        among = _Setting(title="among the installed plugins", folder=folder, environ=environ)
        for setting in (alone, among):
            _compare(setting, options.rounds)
        added = _modules(alone, alone.with_it) - _modules(alone, _WITHOUT)
    heavy = sorted(name for name in added if name.partition(".")[0] in FORBIDDEN)
    others = sorted(name for name in added if name.partition(".")[0] != "pytest_stateless")
    print(f"\n  modules that the plugin adds: {len(added)}")
    print(f"  of them not its own: {', '.join(others) or 'none'}")
    print(f"  of them forbidden ({', '.join(FORBIDDEN)}): {', '.join(heavy) or 'none'}")
    return 1 if heavy else 0


def _compare(setting: _Setting, rounds: int) -> None:
    """Time both in turns, each first in every other turn."""
    with_it, without = Samples(), Samples()
    pair = [(with_it, setting.with_it), (without, _WITHOUT)]
    for _, arguments in pair:
        _collect(setting, arguments)  # compiled code is cached by now
    for number in range(rounds):
        for samples, arguments in pair if number % 2 else reversed(pair):
            samples.take(functools.partial(_collect, setting, arguments))
    added = with_it.median_s - without.median_s
    print_table(
        f"pytest --collect-only on an empty folder, {setting.title}, {rounds} rounds",
        ("", "median ms", "quartiles ms"),
        [
            ("with the plugin", milliseconds(with_it.median_s), with_it.spread),
            ("with -p no:stateless", milliseconds(without.median_s), without.spread),
            ("difference", milliseconds(added), ""),
        ],
    )
    verdict = "met   " if added * _MILLI < MOST_MS else "MISSED"
    print(f"  {verdict}  {milliseconds(added)} ms more, target less than {MOST_MS:.0f}")


def _collect(setting: _Setting, arguments: tuple[str, ...]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *_ARGUMENTS, *arguments],
        check=False,
        cwd=setting.folder,
        env=setting.environ,
        capture_output=True,
    )
    if ended.returncode != _NO_TESTS:
        raise RuntimeError(ended.stdout.decode() + ended.stderr.decode())


def _modules(setting: _Setting, arguments: tuple[str, ...]) -> set[str]:
    ended = subprocess.run(
        [sys.executable, "-c", _REPORT, *_ARGUMENTS, *arguments],
        check=True,
        cwd=setting.folder,
        env=setting.environ,
        capture_output=True,
        text=True,
    )
    return set(json.loads(ended.stdout.splitlines()[-1]))
