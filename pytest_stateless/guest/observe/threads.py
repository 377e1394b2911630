"""Threads that live when the response is complete, and who is to blame for them.

A thread counts for a request that started it from first-party code, unless it is idle. A pool's
worker counts for the work that it has in hand, whenever it was started. From the start of the
instance only schedulers count each time; a library's other threads are told of once.
"""

from __future__ import annotations

import dataclasses
import sys
import threading
import weakref
from _thread import get_ident
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING

from pytest_stateless.guest.observe import callables, workers
from pytest_stateless.guest.observe.origins import RawStack, innermost_side, read, snapshot
from pytest_stateless.model.observation import Phase, Survivor

if TYPE_CHECKING:
    from pytest_stateless.guest.stack import StackReader
    from pytest_stateless.model.observation import SurvivorKind

GRACE_S = 0.001
"""How long a thread that may just be ending is waited for, in seconds."""
SCHEDULERS = frozenset({
    "apscheduler", "celery", "django_apscheduler", "django_q", "dramatiq", "flask_apscheduler",
    "huey", "rocketry", "rq", "rq_scheduler", "sched", "schedule",
})  # fmt: skip
_MAX_BARE = 100


@dataclass(frozen=True, slots=True)
class _Start:
    """How a thread began.

    Attributes:
        stack: Where.
        phase: When.
        turn: How many drains came before.
        target: What it runs.
    """

    stack: RawStack
    phase: Phase
    turn: int
    target: object


@dataclass(frozen=True, slots=True, kw_only=True)
class _Live:
    """A thread that lives now."""

    thread: threading.Thread | None
    name: str
    frames: tuple[FrameType, ...]
    start: _Start

    @property
    def is_timer(self) -> bool:
        """Whether it waits for its time to come."""
        return isinstance(self.thread, threading.Timer)

    @property
    def is_scheduler(self) -> bool:
        """Whether a library known for running jobs at their times has it."""
        module = getattr(self.start.target, "__module__", None) or ""
        tops = (str(frame.f_globals.get("__name__", "")) for frame in self.frames)
        return any(name.partition(".")[0] in SCHEDULERS for name in (module, *tops))


class ThreadWatch:
    """Remembers how threads began and tells which are alive.

    Args:
        reader: Knows what is first-party.
    """

    def __init__(self, reader: StackReader) -> None:
        self._reader = reader
        self._starts: weakref.WeakKeyDictionary[threading.Thread, _Start] = (
            weakref.WeakKeyDictionary()
        )
        self._bare: list[_Start] = []
        self._turn = 0
        self._told: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        self._phase: Phase = "start"
        self._earlier_work: set[int] = set()
        self._work_of_start: set[int] = set()

    def started(self, target: object, args: object, frame: FrameType) -> None:
        """Take down that a thread is being started.

        Args:
            target: `Thread._bootstrap` of a thread, or a bare function.
            args: What the function is called with.
            frame: Of the caller.
        """
        thread = getattr(target, "__self__", None)
        stack = snapshot(frame)
        if isinstance(thread, threading.Thread):
            function = _target_of(thread)
            self._starts[thread] = _Start(stack, self._phase, self._turn, function)
        elif len(self._bare) < _MAX_BARE:
            function = callables.function_of(target, args if isinstance(args, tuple) else ())
            self._bare.append(_Start(stack, self._phase, self._turn, function))

    def begin(self, phase: Phase) -> None:
        """Note what begins, and which work pools have in hand: it is none of what begins.

        Args:
            phase: What begins.
        """
        self._earlier_work = _work_in_hand() if self._starts else set()
        if phase == "request" and self._phase == "start":
            self._work_of_start = self._earlier_work
        self._work_of_start &= self._earlier_work
        self._phase = phase

    def drain(self) -> tuple[Survivor, ...]:
        """Look at what is alive.

        Returns:
            The survivors, each at its due times.
        """
        found = self._look() if self._starts or self._bare else ()
        self._turn += 1
        self._bare = []
        return found

    def _look(self) -> tuple[Survivor, ...]:
        if not self._judged():
            return ()
        self._wait_a_moment()
        judged = self._judged()
        for live, survivor in judged:
            if live.thread is not None and survivor.kind != "scheduler":
                self._told.add(live.thread)
        return tuple(survivor for _, survivor in judged)

    def _wait_a_moment(self) -> None:
        for thread in list(self._starts):
            if thread.is_alive() and thread is not threading.current_thread():
                threading.Thread.join(thread, GRACE_S)
                return

    def _judged(self) -> list[tuple[_Live, Survivor]]:
        found = []
        for live in self._live():
            survivor = None if workers.has_ended(live.frames) else self._judge(live)
            if survivor is not None:
                found.append((live, survivor))
        return found

    def _live(self) -> list[_Live]:
        frames = sys._current_frames()  # noqa: SLF001 (the documented way)
        frames.pop(get_ident(), None)
        found = []
        for thread in threading.enumerate():
            start = self._starts.get(thread)
            if isinstance(thread, threading._DummyThread):  # noqa: SLF001 (a bare thread's name)
                continue
            frame = frames.pop(thread.ident or 0, None)
            if start is not None and frame is not None:
                stack = workers.frames_of(frame)
                found.append(_Live(thread=thread, name=thread.name, frames=stack, start=start))
        for ident, frame in frames.items() if self._bare else ():
            stack = workers.frames_of(frame)
            start = self._bare_start(stack)
            if start is not None:
                found.append(_Live(thread=None, name=f"thread {ident}", frames=stack, start=start))
        return found

    def _bare_start(self, frames: tuple[FrameType, ...]) -> _Start | None:
        code = frames[-1].f_code
        return next((s for s in self._bare if callables.code_of(s.target) is code), None)

    def _judge(self, live: _Live) -> Survivor | None:
        if workers.is_pool_worker(live.frames):
            return self._judge_worker(live)
        if live.is_scheduler:
            return self._survivor("scheduler", live, runs_first_party=True)
        if live.start.phase == "start":
            return self._judge_early(live)
        is_new = live.start.turn == self._turn and live.thread not in self._told
        if not (is_new and self._is_from_app(live)):
            return None
        if not live.is_timer and workers.is_idle(live.frames):
            return None
        kind: SurvivorKind = "timer" if live.is_timer else "thread"
        return self._survivor(kind, live, runs_first_party=self._is_handed_over(live))

    def _judge_early(self, live: _Live) -> Survivor | None:
        is_idle = not live.is_timer and workers.is_idle(live.frames)
        if self._runs_app(live) or (self._is_handed_over(live) and not is_idle):
            return self._survivor("scheduler", live, runs_first_party=True)
        if live.thread in self._told or is_idle:
            return None
        return self._survivor("thread", live, runs_first_party=False)

    def _judge_worker(self, live: _Live) -> Survivor | None:
        work = workers.work_of(live.frames)
        if work is None:
            return None
        function = callables.function_of(work.function, work.args)
        start = dataclasses.replace(live.start, target=function)
        mine = dataclasses.replace(live, start=start)
        is_handed_over = self._is_handed_over(mine)
        if work.item in self._work_of_start:
            if not is_handed_over:
                return None
            return self._survivor("scheduler", mine, runs_first_party=True, phase="start")
        if work.item in self._earlier_work or not self._is_from_app(mine):
            return None
        return self._survivor("thread", mine, runs_first_party=is_handed_over, phase=self._phase)

    def _is_from_app(self, live: _Live) -> bool:
        """Tell whether first-party code is anywhere in a thread's beginning or presence."""
        codes = [code for code, _ in live.start.stack]
        return self._is_handed_over(live) or any(self._reader.owns(c.co_filename) for c in codes)

    def _runs_app(self, live: _Live) -> bool:
        """Tell whether a thread's function or one of its frames is first-party."""
        if callables.is_first_party(live.start.target, self._reader):
            return True
        return any(self._reader.owns(frame.f_code.co_filename) for frame in live.frames)

    def _is_handed_over(self, live: _Live) -> bool:
        """Tell whether a thread runs the user's code, or a function that it was handed."""
        return self._runs_app(live) or innermost_side(live.start.stack, self._reader) == "app"

    def _survivor(
        self,
        kind: SurvivorKind,
        live: _Live,
        *,
        runs_first_party: bool,
        phase: Phase | None = None,
    ) -> Survivor:
        return Survivor(
            kind=kind,
            name=live.name,
            target=callables.name_of(live.start.target),
            stack=read(live.start.stack, self._reader),
            runs_first_party=runs_first_party,
            phase=phase or live.start.phase,
        )


def _target_of(thread: threading.Thread) -> object:
    """Return what a thread will run; it forgets it at its end, so ask at its start."""
    if isinstance(thread, threading.Timer):
        return callables.function_of(thread.function, tuple(thread.args))
    if type(thread).run is not threading.Thread.run:
        return type(thread).run
    target = getattr(thread, "_target", None)
    return callables.function_of(target, tuple(getattr(thread, "_args", ())))


def _work_in_hand() -> set[int]:
    """Return what identifies the work that pools run now."""
    found = set()
    for frame in sys._current_frames().values():  # noqa: SLF001 (the documented way)
        work = workers.work_of(workers.frames_of(frame))
        if work is not None and work.item:
            found.add(work.item)
    return found
