"""One ASGI request: its scope, `receive` and `send`, and how far its response has come.

The states of a response, which only `send` and the adapter move forward: nothing sent; start
seen (held back until there is a body, as the specification asks); under way; complete. A client
that is gone completes a response too: nobody waits for the rest.

Source: https://asgi.readthedocs.io/en/latest/specs/www.html.
"""

from __future__ import annotations

import asyncio
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pytest_stateless.errors import AdapterError
from pytest_stateless.guest.adapter.refusal import plain_server_error
from pytest_stateless.guest.adapter.trail import read_trail

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping
    from types import CodeType

    from pytest_stateless.guest.adapter.contract import Sink
    from pytest_stateless.guest.adapter.task_watch import StartedTask
    from pytest_stateless.guest.stack import StackReader
    from pytest_stateless.model.place import Frame
    from pytest_stateless.wire.messages import Serve

    Message = MutableMapping[str, Any]  # as the specification types it
    Scope = MutableMapping[str, Any]

CURRENT: ContextVar[AsgiExchange | None] = ContextVar("stateless_exchange", default=None)
"""The exchange that the running code belongs to; tasks and worker threads inherit it."""

IS_LIFESPAN: ContextVar[bool] = ContextVar("stateless_lifespan", default=False)
"""Whether the running code was started by the lifespan, before any request."""

_RECHECK_S = 0.05


def make_scope(request: Serve, state: dict[str, object]) -> Scope:
    """Make the connection scope of a request.

    Args:
        request: Its head.
        state: What the lifespan left; copied, as servers do.

    Returns:
        The scope.
    """
    return {
        "type": "http",
        # 2.3 is what uvicorn speaks: a client that is gone is told by http.disconnect only
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": request.scheme,
        "path": unquote(request.raw_path),
        "raw_path": request.raw_path.encode("latin-1"),
        "query_string": request.query.encode("latin-1"),
        "root_path": "",
        "headers": [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in request.headers
        ],
        "client": ("127.0.0.1", 0),
        "server": (request.host, request.port),
        "state": state.copy(),
        "extensions": {},
    }


class AsgiExchange:
    """One request and its response.

    Args:
        method: Of the request.
        chunks: Its body.
        sink: Where the answer goes.
        stack: Decides what is first-party.
        boundary: Code of the adapter's function that runs the loop.
    """

    def __init__(
        self,
        *,
        method: str,
        chunks: tuple[bytes, ...],
        sink: Sink,
        stack: StackReader,
        boundary: CodeType,
    ) -> None:
        self.sink = sink
        self.stack = stack
        self.boundary = boundary
        self.loop = asyncio.get_running_loop()
        self.tasks: list[StartedTask] = []
        self.fault: AdapterError | None = None
        self.end_trail: tuple[Frame, ...] = ()
        self.completed_at = 0.0
        self.completed: asyncio.Future[None] = self.loop.create_future()
        self.parked: asyncio.Future[None] = self.loop.create_future()
        self.thawed = asyncio.Event()
        self._method = method
        self._chunks = list(chunks) or [b""]
        self._gone = asyncio.Event()
        self._head: tuple[int, list[tuple[str, str]]] | None = None
        self._is_sent = False
        self._is_abandoned = False

    @property
    def is_started(self) -> bool:
        """Whether the app has begun to answer."""
        return self._head is not None

    @property
    def is_complete(self) -> bool:
        """Whether the last byte has been handed over, or nobody waits for it."""
        return self.completed.done()

    async def receive(self) -> Message:
        """Be `receive`: the body as the client sent it, then wait for the client to go."""
        if self._chunks and not self._gone.is_set():
            body = self._chunks.pop(0)
            return {"type": "http.request", "body": body, "more_body": bool(self._chunks)}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Be `send`."""
        if not self.is_complete and self.sink.is_disconnected():
            self._abandon()
        if self._is_abandoned:
            return
        if not isinstance(message, dict):
            raise self._breach(f"a message is no dictionary: {message!r:.80}")
        kind = message.get("type")
        if kind == "http.response.start":
            self._start(message)
        elif kind == "http.response.body":
            self._body(message)
        else:
            raise self._breach(
                f"message type {kind!r} is not understood; a response is one "
                "'http.response.start' and then 'http.response.body' messages"
            )

    def complete(self) -> None:
        """Say that the response is complete, and let the app know."""
        if not self.is_complete:
            caller = sys._getframe(1)  # noqa: SLF001 (of the app, where it sends)
            self.end_trail = read_trail(self.stack, caller, self.boundary)
            self.sink.complete()
            self.completed_at = self.loop.time()
            self.completed.set_result(None)
            self._gone.set()

    def finish(self, error: BaseException | None) -> None:
        """Account for the end of the app's coroutine.

        Args:
            error: What it raised, if it did.
        """
        if self.fault is None and error is None and not self.is_complete:
            self._breach(
                "the app returned before its response was complete: the last "
                "'http.response.body' was sent with more_body=True"
                if self._is_sent
                else "the app returned without a response"
            )
        raised = self.fault or error
        if raised is not None:
            self.sink.raised(raised)
        if not self._is_sent and not self.is_complete:
            self._is_sent = True
            plain_server_error(self._method, self.sink)
        self.complete()

    def watch_client(self) -> None:
        """Have the loop notice when the client goes away."""
        descriptor = self.sink.channel_fd
        if descriptor is not None and not self.is_complete:
            self.loop.add_reader(descriptor, self._on_readable, descriptor)

    def unwatch_client(self) -> None:
        """Stop noticing."""
        descriptor = self.sink.channel_fd
        if descriptor is not None:
            self.loop.remove_reader(descriptor)

    def _abandon(self) -> None:
        self._is_abandoned = True
        self.complete()

    def _on_readable(self, descriptor: int) -> None:
        self.loop.remove_reader(descriptor)
        if self.is_complete:
            return
        if self.sink.is_disconnected():
            self._abandon()
        else:
            # readable for another reason, and it stays so: look again, without spinning
            self.loop.call_later(_RECHECK_S, self.watch_client)

    def _start(self, message: Message) -> None:
        if self._head is not None:
            raise self._breach("'http.response.start' was sent twice")
        status = message.get("status")
        if not isinstance(status, int):
            raise self._breach(
                f"status {status!r} is no number but {type(status).__name__}; write 200, not '200'"
            )
        self._head = (int(status), self._headers(message.get("headers", ())))

    def _body(self, message: Message) -> None:
        if self._head is None:
            raise self._breach("'http.response.body' was sent before 'http.response.start'")
        if self.is_complete:
            raise self._breach("a message was sent after the response was complete")
        body = message.get("body", b"")
        if not isinstance(body, (bytes, bytearray, memoryview)):
            raise self._breach(
                f"a response body is no bytes but {type(body).__name__}: {body!r:.80}"
            )
        if not self._is_sent:
            self._is_sent = True
            self.sink.start(*self._head)
        if body and self._method != "HEAD":
            self.sink.body(bytes(body))
        if not message.get("more_body", False):
            self.complete()

    def _headers(self, headers: Iterable[object]) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for header in headers:
            pair = tuple(header) if isinstance(header, (tuple, list)) else ()
            if [isinstance(part, bytes) for part in pair] != [True, True]:
                raise self._breach(f"header {header!r:.80} is no (bytes, bytes) pair")
            found.append((pair[0].decode("latin-1"), pair[1].decode("latin-1")))
        return found

    def _breach(self, what: str) -> AdapterError:
        self.fault = self.fault or AdapterError(f"the ASGI app broke its convention: {what}")
        return self.fault
