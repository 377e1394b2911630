"""What an instance saw while it started or served a request, before anybody judges it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pytest_stateless.model.isolation import IsolationName
from pytest_stateless.model.place import Frame

Phase = Literal["start", "request"]
WriteOutcome = Literal["refused", "full", "allowed"]
SurvivorKind = Literal[
    "thread", "timer", "task", "process", "background", "close", "scheduler", "app"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """An attempt to change the filesystem.

    Attributes:
        operation: As a call that a reader knows, such as `open('db.json', 'w')`.
        path: Absolute path of what would change.
        outcome: `refused` by a read-only filesystem, `full` when there was no space left, `allowed`
            on a disk of the instance's own, which goes with it.
        error: The error as Python shows it, such as `[Errno 30] Read-only file system: 'x'`; empty
            where there was none.
        stack: Frames, innermost first.
        anchor: Where first-party code called or configured the library that wrote, else where
            the error came out in first-party code; None where the stack has a first-party frame,
            or nothing was found.
        reached_first_party: Whether the error came out in first-party code: a library that
            falls back by itself keeps it. Always True when no library was in between.
        phase: While the instance started, or while it served a request.
        is_on_disk: Whether the path is on the instance's own disk, rather than in its `/tmp`.
    """

    operation: str
    path: str
    outcome: WriteOutcome
    error: str
    stack: tuple[Frame, ...]
    anchor: Frame | None = None
    reached_first_party: bool = True
    phase: Phase = "request"
    is_on_disk: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Survivor:
    """Something that was still alive when the response was complete.

    Attributes:
        kind: What it is.
        name: Its name, such as a thread's or a task's; a process's command line.
        target: The function that it runs, as `module.qualname`; empty where unknown.
        stack: Where it was started, innermost frame first.
        runs_first_party: Whether what it runs is the user's code, or was handed over by it.
        phase: Started while the instance started, or by a request.
    """

    kind: SurvivorKind
    name: str
    target: str
    stack: tuple[Frame, ...]
    runs_first_party: bool
    phase: Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Unenforced:
    """Something that the isolation lets through.

    Attributes:
        isolation: Its name.
        gap: The name of the gap, see `model.isolation`.
        operation: As a call that a reader knows, without values.
        place: Where first-party code does it.
    """

    isolation: IsolationName
    gap: str
    operation: str
    place: Frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """All that one request (and, if it was the first, the cold start) showed.

    Attributes:
        writes: Attempts to write that were refused or failed, or that are lost with the instance.
        reads: Absolute paths of data files that were read (no source code, nothing below an
            installed package), sorted.
        survivors: What was alive when the response was complete.
        peak_bytes: The largest resident set of the instance so far, in bytes.
        unenforced: What the isolation has let through unseen.
        app_place: Where the app object is defined, for findings that have no place of their own.
    """

    writes: tuple[Write, ...] = ()
    reads: tuple[str, ...] = ()
    survivors: tuple[Survivor, ...] = ()
    peak_bytes: int = 0
    unenforced: tuple[Unenforced, ...] = ()
    app_place: Frame | None = None
