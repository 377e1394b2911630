"""Time stamps from inside a zygote and its instances.

A traced zygote is the ordinary one, started by a program that first wraps functions of the
package. What the wraps note is appended to a file, which every fork inherits open, before the
messages after which an instance may be killed; unlike a socket, it never makes anybody wait. All
processes share `CLOCK_MONOTONIC`.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import os
import resource
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from pytest_stateless.forkserver import launch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PREFIX = "import sys; sys.path[:] = {{path!r}}; from benchmarks.tracing import trace_zygote; "
_TELLING = frozenset({"Sealed", "Started", "Done"})
_Note = tuple[str, float, float, float, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One call of a traced function, or one moment.

    Attributes:
        instance: The fleet's number of the instance; 0 in the zygote and on the host.
        name: What was called, or happened.
        start_s: On the clock of `time.monotonic`.
        end_s: Likewise; the same for a moment.
        cpu_s: Processor time that the thread took meanwhile; of a moment, until then.
        faults: Pages that the process touched for the first time meanwhile; likewise.
    """

    instance: int
    name: str
    start_s: float
    end_s: float
    cpu_s: float
    faults: int


class _Notes:
    """What this process has noted and not yet told."""

    def __init__(self) -> None:
        self.instance = 0
        self.pending: list[_Note] = []
        self.file: int | None = None

    def moment(self, name: str) -> None:
        now = time.monotonic()
        self.pending.append((name, now, now, *_costs()))

    def tell(self) -> None:
        if self.file is not None and self.pending:
            # one call, so that lines of several processes do not mix
            os.write(self.file, json.dumps([self.instance, self.pending]).encode() + b"\n")
            self.pending.clear()


NOTES = _Notes()


def _costs() -> tuple[float, int]:
    """Return the processor time and the page faults of this process so far."""
    return time.thread_time(), resource.getrusage(resource.RUSAGE_SELF).ru_minflt


GUEST_FUNCTIONS = (
    ("pytest_stateless.guest.instance", "apply", "seal: apply"),
    ("pytest_stateless.guest.instance", "prove", "seal: prove"),
    ("pytest_stateless.guest.instance", "_become", "become the test's process"),
    ("pytest_stateless.guest.server", "Server.__init__", "make the server"),
    ("pytest_stateless.guest.observe.observer", "Observer.install", "install the observer"),
    ("pytest_stateless.guest.observe.observer", "Observer.begin", "observer: begin"),
    ("pytest_stateless.guest.observe.observer", "Observer.finish", "observer: finish"),
    ("pytest_stateless.guest.observe.output", "LogForwarder.install", "install the log tap"),
    ("pytest_stateless.guest.observe.output", "WarningForwarder.install", "install warnings"),
    ("pytest_stateless.guest.server", "load_app", "load the app"),
    ("pytest_stateless.guest.adapter.load", "_import", "load: import"),
    ("pytest_stateless.guest.adapter.load", "detect_kind", "load: detect kind"),
    ("pytest_stateless.guest.adapter.load", "place_of", "load: place"),
    ("pytest_stateless.guest.server", "make_adapter", "make the adapter"),
    ("pytest_stateless.guest.server", "Server.handle", "handle"),
    ("pytest_stateless.guest.channel", "encode", "guest: encode"),
    ("pytest_stateless.wire.framing", "_decode", "decode"),
)
ZYGOTE_FUNCTIONS = (
    ("pytest_stateless.forkserver.zygote", "Zygote._fork", "zygote: fork"),
    ("pytest_stateless.forkserver.zygote", "Zygote._bury", "zygote: bury"),
    ("pytest_stateless.forkserver.processes", "kill_orphans", "zygote: kill orphans"),
    ("pytest_stateless.forkserver.zygote", "preload", "zygote: preload"),
)


def wrap(module_name: str, path: str, name: str) -> None:
    """Note each call of a function.

    Args:
        module_name: Where it is looked up by its callers.
        path: Its name there, with its class if it is a method.
        name: What to call it in notes.
    """
    owner: Any = importlib.import_module(module_name)
    *classes, last = path.split(".")
    for part in classes:
        owner = getattr(owner, part)
    setattr(owner, last, noted(getattr(owner, last), name))


def noted(original: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Return a function that notes its calls.

    Args:
        original: The function.
        name: What to call it in notes.

    Returns:
        Its stand-in.
    """

    @functools.wraps(original)
    def stand_in(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 (whatever it is)
        started, (cpu, faults) = time.monotonic(), _costs()
        try:
            return original(*args, **kwargs)
        finally:
            ended, (cpu_then, faults_then) = time.monotonic(), _costs()
            NOTES.pending.append((name, started, ended, cpu_then - cpu, faults_then - faults))

    return stand_in


def trace_zygote(path: str) -> None:
    """Wrap the functions of a zygote and of its instances; for the program of a traced zygote.

    Args:
        path: The file that the notes go to.
    """
    NOTES.file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    for function in (*GUEST_FUNCTIONS, *ZYGOTE_FUNCTIONS):
        wrap(*function)
    _trace_life()
    _trace_channel()
    _trace_zygote_steps()


def _trace_life() -> None:
    instance = importlib.import_module("pytest_stateless.guest.instance")
    original = instance.live

    def live(fork: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 (the original's)
        NOTES.pending.clear()  # the zygote's, copied by the fork
        NOTES.instance = fork.instance
        NOTES.moment("live")
        original(fork, *args, **kwargs)

    instance.live = live  # type: ignore[attr-defined]


def _trace_channel() -> None:
    channel = importlib.import_module("pytest_stateless.guest.channel").Channel
    send, receive = channel.send, channel.receive

    def traced_send(self: Any, message: Any) -> None:  # noqa: ANN401
        kind = type(message).__name__
        NOTES.moment(f"send {kind}")
        if kind in _TELLING:
            NOTES.tell()
        send(self, message)

    def traced_receive(self: Any) -> Any:  # noqa: ANN401
        message = receive(self)
        NOTES.moment(f"receive {type(message).__name__}")
        return message

    channel.send, channel.receive = traced_send, traced_receive


def _trace_zygote_steps() -> None:
    zygote = importlib.import_module("pytest_stateless.forkserver.zygote").Zygote
    step = zygote._step  # noqa: SLF001 (a trace is about internals)

    def traced_step(self: Any) -> Any:  # noqa: ANN401
        try:
            return step(self)
        finally:
            NOTES.tell()

    zygote._step = traced_step  # noqa: SLF001


@contextlib.contextmanager
def traced_zygotes() -> Iterator[Listener]:
    """Have every zygote that is started meanwhile traced.

    Yields:
        Where their notes arrive.
    """
    original = launch.PROGRAM
    with Listener() as listener:
        launch.PROGRAM = _PREFIX.format() + f"trace_zygote({listener.path!r}); " + original
        try:
            yield listener
        finally:
            launch.PROGRAM = original


class Listener:
    """Takes the notes of all processes."""

    def __init__(self) -> None:
        self._file = tempfile.NamedTemporaryFile()  # noqa: SIM115 (closed by __exit__)

    @property
    def path(self) -> str:
        """Where the notes go."""
        return self._file.name

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Remove the file."""
        self._file.close()

    def take(self) -> list[Span]:
        """Return what has arrived since the last call, with this process's own notes."""
        found = [_span(0, note) for note in NOTES.pending]
        NOTES.pending.clear()
        for line in self._file:
            instance, notes = json.loads(line)
            found += [_span(instance, note) for note in notes]
        return found


def _span(instance: int, note: _Note) -> Span:
    name, start, end, cpu, faults = note
    return Span(instance=instance, name=name, start_s=start, end_s=end, cpu_s=cpu, faults=faults)
