"""Making an instance of a forked test process: what it has inherited, and what it must not keep.

The app, and whatever the test has put in its place, stays as it is in memory. What belongs to the
test's own run goes: its captured streams, its log and exception hooks, its event loop, its context
variables.
"""

from __future__ import annotations

import contextvars
import faulthandler
import io
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

_STREAMS = (("stdout", 1), ("stderr", 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Inheritance:
    """What a forked test process serves: found in its memory, not imported.

    Attributes:
        app: The app object; None if there is none, or if it is named by a reference.
        name: What to call it in messages.
        function: For `stateless.call`: the function with its arguments.
        forget: What to call first, to let go of connections that the test process has.
        resident_bytes: The resident size that the instance was born with.
    """

    app: object = None
    name: str = ""
    function: Callable[[], object] | None = None
    forget: tuple[Callable[[], object], ...] = ()
    resident_bytes: int = 0


def settle(inheritance: Inheritance) -> None:
    """Let go of what belongs to the test's own run.

    Args:
        inheritance: What this process has inherited; descriptors 1 and 2 are its own.
    """
    _replace_streams()
    _forget_hooks()
    _forget_loops()
    faulthandler.enable(file=2)
    for forget in inheritance.forget:
        forget()


def run_in_new_context(function: Callable[[], NoReturn]) -> NoReturn:
    """Call a function without the context variables of the test, such as a pushed Flask context.

    Args:
        function: What to call.
    """
    contextvars.Context().run(function)


def _replace_streams() -> None:
    """Write to this process's own streams, also where somebody has kept the test's."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", closefd=False)  # type: ignore[misc]  # noqa: SIM115
    for name, descriptor in _STREAMS:
        for kept in (getattr(sys, name), getattr(sys, f"__{name}__")):
            known = _descriptor_of(kept)
            if known > descriptor:
                os.dup2(descriptor, known, inheritable=False)
        stream = open(  # noqa: SIM115 (as long as the process)
            descriptor, "w", encoding="utf-8", errors="backslashreplace", closefd=False
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _descriptor_of(stream: Any) -> int:  # noqa: ANN401 (whatever the test has put there)
    try:
        number = stream.fileno()
    except (AttributeError, OSError, ValueError, io.UnsupportedOperation):
        return -1
    return number if isinstance(number, int) else -1


def _forget_hooks() -> None:
    sys.excepthook = sys.__excepthook__
    sys.unraisablehook = sys.__unraisablehook__
    threading.excepthook = threading.__excepthook__
    signal.signal(signal.SIGINT, signal.default_int_handler)
    root = logging.getLogger()
    for handler in list(root.handlers):
        # the record travels to the test process, whose handlers get it there
        if type(handler).__module__.startswith("_pytest."):
            root.removeHandler(handler)


def _forget_loops() -> None:
    """Be outside of any event loop, though the fork may have happened inside one."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None:
        signal.set_wakeup_fd(-1)
        asyncio._set_running_loop(None)  # noqa: SLF001 (documented for event loops)
    sniffio = sys.modules.get("sniffio")
    if sniffio is not None:
        sniffio.thread_local.name = None
