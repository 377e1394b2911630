"""Runs what cannot be undone in a process of its own."""

# What `os` does is what is tested, so it is not done with pathlib.
# ruff: noqa: PTH123
from __future__ import annotations

import contextlib
import os
import pickle
from typing import TYPE_CHECKING

from pytest_stateless.errors import SandboxSetupError

if TYPE_CHECKING:
    from collections.abc import Callable


def in_a_fork(work: Callable[[], None]) -> SandboxSetupError | None:
    """Run something that cannot be undone, and return what it raised."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        said: tuple[str, str, int] | None = None
        try:
            work()
        except SandboxSetupError as error:
            said = (error.operation, error.syscall, error.errno)
        except BaseException as error:  # noqa: BLE001 (a fork must not return)
            said = (repr(error), "", 0)
        finally:
            with contextlib.suppress(OSError):
                os.write(writer, pickle.dumps(said))
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as file:
        answer: tuple[str, str, int] | None = pickle.loads(file.read())  # noqa: S301 (our own)
    os.waitpid(pid, 0)
    return None if answer is None else SandboxSetupError(*answer)
