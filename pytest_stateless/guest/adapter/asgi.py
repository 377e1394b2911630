"""The ASGI adapter: one app, one event loop, which runs only while a request is handled.

That is the freeze: between two requests nothing of the app goes on, and whatever it left behind
goes on while the next request is handled.

Source: https://asgi.readthedocs.io/en/latest/specs/main.html.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from pytest_stateless.guest.adapter.asgi_exchange import CURRENT, AsgiExchange, make_scope
from pytest_stateless.guest.adapter.background import hold_background_tasks
from pytest_stateless.guest.adapter.lifespan import Lifespan
from pytest_stateless.guest.adapter.refusal import refuse_event
from pytest_stateless.guest.adapter.task_watch import TaskWatch, find_survivors, stuck_place
from pytest_stateless.model.observation import Survivor

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from pytest_stateless.guest.adapter.asgi_exchange import Scope
    from pytest_stateless.guest.adapter.contract import Sink
    from pytest_stateless.guest.adapter.lifespan import AsgiApp
    from pytest_stateless.guest.adapter.load import LoadedApp
    from pytest_stateless.guest.stack import StackReader
    from pytest_stateless.model.app_reference import AppKind
    from pytest_stateless.wire.messages import Invoke, Serve

UNWIND_S = 1.0
"""How long an app may take to unwind after its last byte before that is work of its own."""

_NEARLY = 0.9
"""The part of a request's time after which it tells where it is."""


class AsgiAdapter:
    """Speaks ASGI with one app.

    Args:
        loaded: The app.
        stack: Decides what is first-party.
    """

    kind: AppKind = "asgi"

    def __init__(self, loaded: LoadedApp, stack: StackReader) -> None:
        self._app = cast("AsgiApp", loaded.app)
        self._reference = loaded.reference
        self._stack = stack
        self._runner = asyncio.Runner()
        self._watch = TaskWatch()
        self._state: dict[str, object] = {}
        self._previous: AsgiExchange | None = None
        self._lifespan: Lifespan | None = None

    def start(self) -> None:
        """Start the loop and run the app's lifespan start-up.

        Raises:
            ColdStartError: The app says that its start-up failed.
        """
        hold_background_tasks()
        self._run(self._start())

    def serve(self, request: Serve, chunks: tuple[bytes, ...], sink: Sink) -> None:
        """Answer one request; the loop runs until the app has unwound, and no longer.

        Args:
            request: Its head.
            chunks: Its body.
            sink: Where the answer goes.
        """
        hold_background_tasks()  # a framework may have been imported late
        self._run(self._serve(request, chunks, sink))

    def invoke(self, event: Invoke, sink: Sink) -> None:  # noqa: ARG002 (the contract's names)
        """Refuse an event, which no ASGI app takes.

        Args:
            event: Not used.
            sink: Not used.

        Raises:
            AdapterError: Always.
        """
        refuse_event(self.kind, self._reference)

    def close(self) -> None:
        """Cancel what is left and close the loop; an instance that is thrown away need not."""
        self._runner.close()

    def _run(self, main: Coroutine[object, object, None]) -> None:
        # not Runner.run: it would install a signal handler, and cancel on SIGINT what the
        # host's own interrupt ends anyway
        loop = self._runner.get_loop()
        self._watch.install(loop)
        loop.run_until_complete(main)

    async def _start(self) -> None:
        self._lifespan = Lifespan(self._app, self._reference)
        self._state = self._lifespan.state
        with self._watch.starting(self._stack, AsgiAdapter._run.__code__):
            await self._lifespan.start()

    async def _serve(self, request: Serve, chunks: tuple[bytes, ...], sink: Sink) -> None:
        exchange = AsgiExchange(
            method=request.method,
            chunks=chunks,
            sink=sink,
            stack=self._stack,
            boundary=AsgiAdapter._run.__code__,
        )
        if self._previous is not None:
            self._previous.thawed.set()
        self._previous = exchange
        task = asyncio.ensure_future(self._call(make_scope(request, self._state), exchange))
        self._watch.serving = exchange
        exchange.watch_client()
        # a waiting loop is on no thread's stack, so that nobody could tell later where it hung
        alarm = exchange.loop.call_later(request.timeout_s * _NEARLY, _tell_stuck, exchange, task)
        try:
            await self._see_through(exchange, task)
        finally:
            alarm.cancel()
            self._watch.serving = None
            exchange.unwatch_client()

    async def _call(self, scope: Scope, exchange: AsgiExchange) -> None:
        CURRENT.set(exchange)
        await self._app(scope, exchange.receive, exchange.send)

    async def _see_through(self, exchange: AsgiExchange, task: asyncio.Task[None]) -> None:
        """Wait for the response, then for the app to unwind, and report what goes on."""
        answered: set[asyncio.Future[Any]] = {task, exchange.completed}
        await asyncio.wait(answered, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            settled: set[asyncio.Future[Any]] = {task, exchange.parked}
            await asyncio.wait(settled, timeout=UNWIND_S, return_when=asyncio.FIRST_COMPLETED)
        is_late = _is_late(exchange, task)
        survivors = await find_survivors(exchange, is_unwound=task.done())
        survivors += self._watch.schedulers()
        if task.done():
            exchange.finish(_outcome(task))
        else:
            task.add_done_callback(_tell_late_failure)
        if is_late:
            survivors.append(_late_app(exchange, task))
        for survivor in survivors:
            exchange.sink.survived(survivor)


def _tell_stuck(exchange: AsgiExchange, task: asyncio.Task[None]) -> None:
    _, stack = stuck_place(exchange, task)
    if stack:
        exchange.sink.stuck(stack)


def _is_late(exchange: AsgiExchange, task: asyncio.Task[None]) -> bool:
    if exchange.parked.done():
        return False
    if not task.done():
        return True
    # it may have blocked the loop all the while, so that no time-out could tell
    return exchange.is_complete and exchange.loop.time() - exchange.completed_at >= UNWIND_S


def _outcome(task: asyncio.Task[None]) -> BaseException | None:
    if task.cancelled():
        return asyncio.CancelledError("the app cancelled itself")
    return task.exception()


def _late_app(exchange: AsgiExchange, task: asyncio.Task[None]) -> Survivor:
    target, stack = stuck_place(exchange, task)
    return Survivor(
        kind="app",
        name=target.rpartition(".")[2] or "app",
        target=target,
        stack=stack,
        runs_first_party=any(frame.is_first_party for frame in stack),
        phase="request",
    )


def _tell_late_failure(task: asyncio.Task[None]) -> None:
    """Log what an app raises after its request is over, as a server's loop does."""
    error = None if task.cancelled() else task.exception()
    if error is not None:
        task.get_loop().call_exception_handler({
            "message": "the app failed after its response, in the time of a later request",
            "exception": error,
            "task": task,
        })
