"""A process that has imported what a zygote has, and does nothing but fork and wait.

It is the yardstick of a cold start: the least that a fork of such a process can cost. It runs as
a program of its own; `BareFork` starts it and asks it for times.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_STATM_RESIDENT = 1


def resident_bytes(pid: int) -> int:
    """Return the resident set size of a process."""
    fields = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
    return int(fields[_STATM_RESIDENT]) * os.sysconf("SC_PAGE_SIZE")


class BareFork:
    """The yardstick, from outside.

    Args:
        process: The running program.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def take(self) -> float:
        """Have it fork and wait once.

        Returns:
            How long that took, in seconds.
        """
        assert self._process.stdin is not None  # noqa: S101 (they are pipes)
        assert self._process.stdout is not None  # noqa: S101
        self._process.stdin.write("fork\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())


@contextlib.contextmanager
def start_bare_fork(modules: tuple[str, ...]) -> Iterator[BareFork]:
    """Start the program, and end it.

    Args:
        modules: What it shall import, in this order.

    Yields:
        The program, once it has imported everything.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.bare_fork"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
    ) as process:
        assert process.stdin is not None  # noqa: S101 (it is a pipe)
        process.stdin.write(json.dumps(modules) + "\n")
        process.stdin.flush()
        bare = BareFork(process)
        bare.take()
        yield bare
        process.stdin.close()


def _main() -> None:
    importlib.import_module("pytest_stateless.forkserver.launch")
    for name in json.loads(sys.stdin.readline()):
        with contextlib.suppress(Exception):  # the zygote drops what fails, too
            importlib.import_module(name)
    gc.disable()
    gc.collect()
    gc.freeze()
    while sys.stdin.readline():
        started = time.perf_counter()
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        print(time.perf_counter() - started, flush=True)


if __name__ == "__main__":
    _main()
