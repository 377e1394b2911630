"""The ASGI lifespan: started once per instance, and alive as long as the instance.

Whether an app supports it is found out as uvicorn's `auto` does: one that raises (or returns)
before it answers is taken as not supporting it. It is never shut down: an instance is thrown
away without a word.

Source: https://asgi.readthedocs.io/en/latest/specs/lifespan.html, uvicorn's `lifespan/on.py`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pytest_stateless.errors import ColdStartError
from pytest_stateless.guest.adapter.asgi_exchange import IS_LIFESPAN

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pytest_stateless.guest.adapter.asgi_exchange import Message

    AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]

_UNWIND_S = 1.0


class Lifespan:
    """The lifespan of one app; made inside its loop.

    Args:
        app: The app.
        reference: As the user wrote it.
    """

    def __init__(self, app: AsgiApp, reference: str) -> None:
        self.state: dict[str, object] = {}
        self._app = app
        self._reference = reference
        self._answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._is_asked = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Run the app's start-up.

        Raises:
            ColdStartError: The app says that its start-up failed; caused by what it raised.
        """
        task = self._task = asyncio.ensure_future(self._run())
        either: set[asyncio.Future[Any]] = {task, self._answer}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not self._answer.done():
            _ = task.cancelled() or task.exception()  # not supported: retrieved, and let go
            return
        answer = self._answer.result()
        if answer["type"] == "lifespan.startup.failed":
            # frameworks report the failure and then raise it; the exception says more
            await asyncio.wait({task}, timeout=_UNWIND_S)
            error = task.exception() if task.done() and not task.cancelled() else None
            what = f"{type(error).__name__}: {error}" if error else answer.get("message", "")
            raise ColdStartError(f"lifespan start-up of {self._reference!r} failed: {what}") from (
                error
            )

    async def _run(self) -> None:
        IS_LIFESPAN.set(True)
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        await self._app(scope, self._receive, self._send)

    async def _receive(self) -> Message:
        if not self._is_asked:
            self._is_asked = True
            return {"type": "lifespan.startup"}
        await asyncio.get_running_loop().create_future()
        raise AssertionError("an instance is never shut down")

    async def _send(self, message: Message) -> None:
        if not self._answer.done():
            self._answer.set_result(message)
