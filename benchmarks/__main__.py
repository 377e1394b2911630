"""The command line: `python -m benchmarks NAME [options]`, from the project's folder.

Every benchmark compares what it compares in one run, in turns, and prints medians and ratios:
times of two runs, or of two machines, say nothing about each other.

Compiled code is kept in a folder of its own, whatever the environment says about that: without,
every new interpreter would compile what an installation has compiled once.
"""

from __future__ import annotations

import argparse
import compileall
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import cold_start, coverage_cost, isolation, leak, phases, unused

if TYPE_CHECKING:
    from types import ModuleType

BENCHMARKS: dict[str, ModuleType] = {
    "cold_start": cold_start,
    "coverage": coverage_cost,
    "isolation": isolation,
    "unused": unused,
    "leak": leak,
    "phases": phases,
}


PROJECT = Path(__file__).resolve().parent.parent
# not in the system's temporary folder: an instance has one of its own, and would not see it
COMPILED = PROJECT / ".cache" / "benchmarks"


def main(arguments: list[str]) -> int:
    """Run the benchmark that the command line names.

    Args:
        arguments: Of the command line, without the program.

    Returns:
        The exit status: 0, or 1 if something grew that must not.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=_first_line(None))
    commands = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    for name, module in BENCHMARKS.items():
        command = commands.add_parser(
            name,
            help=_first_line(module),
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_options(command)
    options = parser.parse_args(arguments)
    if sys.pycache_prefix != str(COMPILED) or sys.dont_write_bytecode:
        return _run_compiled(arguments)
    status: int = BENCHMARKS[options.name].run(options)
    return status


def _run_compiled(arguments: list[str]) -> int:
    """Run this program again, where compiled code is found and kept."""
    environ = {**os.environ, "PYTHONPYCACHEPREFIX": str(COMPILED)}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.pycache_prefix = str(COMPILED)
    for folder in ("pytest_stateless", "benchmarks"):
        compileall.compile_dir(PROJECT / folder, quiet=2)
    program = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(program, check=False, cwd=PROJECT, env=environ).returncode


def _first_line(module: ModuleType | None) -> str:
    text = module.__doc__ if module is not None else __doc__
    return (text or "").partition("\n")[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
