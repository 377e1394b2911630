"""Knowing which asyncio tasks a request started, and which of them are its own doing.

A task of a task group ends before the code that opened the group goes on, so it is no finding
while the app itself still unwinds. A library's own task that first-party code caused only
indirectly is told apart by `runs_first_party`. Of the tasks that the lifespan started only those
that run first-party code count, with every request: they are schedulers, or come to the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import os
import sys
from dataclasses import dataclass
from types import CodeType
from typing import TYPE_CHECKING, Any

from pytest_stateless.guest.adapter.asgi_exchange import CURRENT, IS_LIFESPAN
from pytest_stateless.guest.adapter.trail import read_trail
from pytest_stateless.guest.stack import is_internal
from pytest_stateless.model.observation import Survivor
from pytest_stateless.model.place import Frame, innermost_first_party

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Iterator
    from types import FrameType

    from pytest_stateless.guest.adapter.asgi_exchange import AsgiExchange
    from pytest_stateless.guest.stack import StackReader

_ASYNCIO = os.path.dirname(os.path.abspath(asyncio.__file__)) + os.sep
_GROUPS = (_ASYNCIO + "taskgroups.py", "/anyio/_backends/_asyncio.py")

_TURNS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedTask:
    """A task that a request started.

    Attributes:
        task: The task.
        target: What it runs, as `module.qualname`.
        stack: Where it was started, innermost frame first.
        is_grouped: Whether a task group waits for it.
        is_own: Whether its coroutine, or what started it, is first-party.
    """

    task: asyncio.Future[Any]
    target: str
    stack: tuple[Frame, ...]
    is_grouped: bool
    is_own: bool

    def survivor(self) -> Survivor:
        """Describe it as a survivor."""
        name = self.task.get_name() if isinstance(self.task, asyncio.Task) else self.target
        return Survivor(
            kind="task",
            name=name,
            target=self.target,
            stack=self.stack,
            runs_first_party=self.is_own,
            phase="request",
        )


class TaskWatch:
    """A task factory that remembers which exchange a task was started in."""

    def __init__(self) -> None:
        self._inner: Callable[..., Any] | None = None
        self._reading_start: tuple[StackReader, CodeType] | None = None
        self._of_start: list[tuple[asyncio.Future[Any], Survivor]] = []
        self.serving: AsgiExchange | None = None

    @contextlib.contextmanager
    def starting(self, stack: StackReader, boundary: CodeType) -> Iterator[None]:
        """Take down what the lifespan starts, inside this block.

        Args:
            stack: Decides what is first-party.
            boundary: The code of the function that runs the app; stacks end there.

        Yields:
            None.
        """
        self._reading_start = (stack, boundary)
        try:
            yield
        finally:
            self._reading_start = None

    def schedulers(self) -> list[Survivor]:
        """List the user's tasks that the lifespan started and that are alive."""
        self._of_start = [(task, one) for task, one in self._of_start if not task.done()]
        return [survivor for _, survivor in self._of_start]

    def install(self, loop: asyncio.AbstractEventLoop) -> None:
        """Become the loop's task factory, in front of the app's own.

        Args:
            loop: The loop.
        """
        current = loop.get_task_factory()
        if current != self.make_task:
            self._inner = current
            loop.set_task_factory(self.make_task)

    def make_task(
        self,
        loop: asyncio.AbstractEventLoop,
        coro: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        **options: Any,  # noqa: ANN401 (context, name, eager_start: whatever this Python passes)
    ) -> asyncio.Future[Any]:
        """Be the task factory.

        Args:
            loop: The loop.
            coro: What to run.
            options: Of `asyncio.Task`.

        Returns:
            The task.
        """
        # a thread that schedules a task does not always carry its request's context
        exchange = CURRENT.get() or (None if IS_LIFESPAN.get() else self.serving)
        started = scheduler = None
        if exchange is not None and not exchange.thawed.is_set():
            started = _read_start(exchange, coro)  # an eager task may be done before it is ours
        elif self._reading_start is not None and IS_LIFESPAN.get():
            scheduler = _read_scheduler(*self._reading_start, coro)
        task: asyncio.Future[Any] = (
            self._inner(loop, coro, **options)
            if self._inner is not None
            else asyncio.Task(coro, loop=loop, **options)
        )
        if exchange is not None and started is not None and not task.done():
            target, stack, is_grouped, is_own = started
            exchange.tasks.append(
                StartedTask(
                    task=task, target=target, stack=stack, is_grouped=is_grouped, is_own=is_own
                )
            )
        if scheduler is not None:
            self._of_start.append((task, scheduler))
        return task


async def find_survivors(exchange: AsgiExchange, *, is_unwound: bool) -> list[Survivor]:
    """List the tasks of a request that are alive after its response.

    Args:
        exchange: The request.
        is_unwound: Whether the app's coroutine has ended, and with it every task group of it.

    Returns:
        What first-party code started, or what runs it.
    """
    alive = [started for started in exchange.tasks if not started.task.done()]
    if is_unwound:
        alive = [
            started for started in alive if started.is_own or innermost_first_party(started.stack)
        ]
    else:
        alive = [started for started in alive if started.is_own and not started.is_grouped]
    if any(_is_ending(started.task) for started in alive):
        # told to end, and about to: that takes the loop a few turns
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        alive = [started for started in alive if not started.task.done()]
    return [started.survivor() for started in alive]


def stuck_place(
    exchange: AsgiExchange, app_task: asyncio.Task[None]
) -> tuple[str, tuple[Frame, ...]]:
    """Find the first-party coroutine in which an app is stuck after its response.

    Args:
        exchange: The request.
        app_task: The task of the app's coroutine.

    Returns:
        What runs there as `module.qualname`, and its stack, innermost frame first; the place
        where the response was completed if no first-party coroutine is waiting.
    """
    tasks = [app_task, *(started.task for started in exchange.tasks if not started.task.done())]
    for task in tasks:
        frames = list(_waiting(task.get_coro())) if isinstance(task, asyncio.Task) else []
        stack = tuple(
            exchange.stack.of_code(frame.f_code, frame.f_lineno)
            for frame in reversed(frames)
            if not is_internal(frame.f_code)
        )
        own = [frame for frame in frames if exchange.stack.owns(frame.f_code.co_filename)]
        if own:
            module = own[-1].f_globals.get("__name__", "")
            return f"{module}.{own[-1].f_code.co_qualname}", stack
    return "", exchange.end_trail


def _read_start(exchange: AsgiExchange, coro: object) -> tuple[str, tuple[Frame, ...], bool, bool]:
    stack = read_trail(exchange.stack, sys._getframe(2), exchange.boundary)  # noqa: SLF001 (the factory's caller)
    machinery, nearest = _split(stack)
    code = getattr(coro, "cr_code", None) or getattr(coro, "gi_code", None)
    runs_own = isinstance(code, CodeType) and exchange.stack.owns(code.co_filename)
    if isinstance(code, CodeType) and runs_own and innermost_first_party(stack) is None:
        stack = (exchange.stack.of_code(code), *stack)
    is_grouped = any(frame.path.endswith(_GROUPS) for frame in machinery)
    is_own = runs_own or (nearest is not None and nearest.is_first_party)
    return _target(coro), stack, is_grouped, is_own


def _read_scheduler(stack: StackReader, boundary: CodeType, coro: object) -> Survivor | None:
    code = getattr(coro, "cr_code", None) or getattr(coro, "gi_code", None)
    if not isinstance(code, CodeType) or not stack.owns(code.co_filename):
        return None
    trail = read_trail(stack, sys._getframe(2), boundary)  # noqa: SLF001 (the factory's caller)
    if innermost_first_party(trail) is None:
        trail = (stack.of_code(code), *trail)
    target = _target(coro)
    return Survivor(
        kind="scheduler",
        name=target.rpartition(".")[2],
        target=target,
        stack=trail,
        runs_first_party=True,
        phase="start",
    )


def _split(stack: tuple[Frame, ...]) -> tuple[tuple[Frame, ...], Frame | None]:
    """Separate asyncio's and anyio's frames on top from the nearest one below them."""
    for index, frame in enumerate(stack):
        if not frame.path.startswith(_ASYNCIO) and "/anyio/" not in frame.path:
            return stack[:index], frame
    return stack, None


def _target(coro: object) -> str:
    frame = getattr(coro, "cr_frame", None) or getattr(coro, "gi_frame", None)
    name = getattr(coro, "__qualname__", type(coro).__name__)
    return f"{frame.f_globals.get('__name__', '')}.{name}" if frame is not None else str(name)


def _waiting(awaited: object) -> Iterator[FrameType]:
    """Yield the frames of a coroutine and of those that it waits for, outermost first."""
    while awaited is not None:
        if inspect.iscoroutine(awaited):
            frame, awaited = awaited.cr_frame, awaited.cr_await
        elif inspect.isasyncgen(awaited):
            frame, awaited = awaited.ag_frame, awaited.ag_await
        else:
            # what `anext` and `athrow` return says only to the collector what it runs
            referents = gc.get_referents(awaited)
            awaited = next((held for held in referents if inspect.isasyncgen(held)), None)
            continue
        if frame is not None:
            yield frame


def _is_ending(task: asyncio.Future[Any]) -> bool:
    return isinstance(task, asyncio.Task) and task.cancelling() > 0
