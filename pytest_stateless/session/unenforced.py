"""Serving in the test process itself: nothing is isolated and nothing is found.

For `--no-stateless`, debuggers and `--trace`. The app is imported once and stays, so that
breakpoints in it work; requests take the same way through the adapters.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import TYPE_CHECKING

from pytest_stateless.errors import ColdStartError, ConfigurationError
from pytest_stateless.guest.inherited import Inheritance
from pytest_stateless.guest.server import Server
from pytest_stateless.report.crash import format_cold_start_failure
from pytest_stateless.session.conversation import Conversation
from pytest_stateless.wire.messages import Start, Started, StartFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_stateless.guest.server import Request
    from pytest_stateless.instance.handle import Steps
    from pytest_stateless.session.ledger import Entry
    from pytest_stateless.session.platform import Platform
    from pytest_stateless.wire.message import Message
    from pytest_stateless.wire.messages import Begin


_NOTHING = Inheritance()
_THIS_PROCESS = 0
"""What the ledger knows this process by, as an instance."""


class _Same:
    """A key that is equal to another only if it is of the same object, which it keeps alive."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other._value is self._value

    def __hash__(self) -> int:
        return id(self._value)


class LocalServers:
    """Servers in this process, one for each app."""

    def __init__(self) -> None:
        self._servers: dict[tuple[str, str, _Same], Server] = {}

    def close(self) -> None:
        """Let go of what the servers hold, such as event loops."""
        for server in self._servers.values():
            server.close()
        self._servers.clear()

    def serve(
        self,
        begin: Begin,
        request: Request,
        chunks: tuple[bytes, ...] = (),
        *,
        inheritance: Inheritance = _NOTHING,
    ) -> deque[Message]:
        """Serve one request and collect all that an instance would have sent.

        Args:
            begin: What an instance would become.
            request: The head.
            chunks: The body of an HTTP request.
            inheritance: What it would serve of this process's memory.

        Returns:
            The messages in order.

        Raises:
            ColdStartError: The app did not become ready.
            ConfigurationError: The app reference is wrong.
        """
        key = (begin.app, begin.setup, _Same(inheritance.app))
        if inheritance.function is not None:
            server = _start(begin, inheritance)  # for this once
        elif key in self._servers:
            server = self._servers[key]
        else:
            server = self._servers[key] = _start(begin, inheritance)
        messages: deque[Message] = deque()
        server.emit = messages.append
        _run_outside_loop(lambda: server.handle(request, chunks))
        return messages


def _start(begin: Begin, inheritance: Inheritance) -> Server:
    messages: list[Message] = []
    server = Server(begin, messages.append, is_sealed=False, inheritance=inheritance)
    _run_outside_loop(lambda: server.start(Start()))
    for message in messages:
        if isinstance(message, StartFailed):
            if message.is_usage:
                raise ConfigurationError(message.error)
            text = format_cold_start_failure(
                begin.app or inheritance.name,
                step=message.step,
                error=message.error,
                traceback=message.traceback,
            )
            raise ColdStartError(text)
    return server


def _run_outside_loop(function: Callable[[], object]) -> None:
    """Call a function, in a thread where an event loop runs here: an ASGI app brings its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        function()
        return
    thread = threading.Thread(target=function, name="pytest-stateless")
    thread.start()
    thread.join()


class LocalConversation(Conversation):
    """One exchange in this process.

    Args:
        platform: Whose settings count.
        entry: The exchange, in the ledger.
        with_app: Whether it needs the app.
        servers: The servers of the session.
        function: A function of this process that is to be run, or None.
    """

    def __init__(
        self,
        platform: Platform,
        entry: Entry,
        servers: LocalServers,
        *,
        with_app: bool = True,
        function: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(platform, entry, with_app=with_app, function=function)
        self._servers = servers
        self._messages: deque[Message] = deque()

    def open(self, request: Request, chunks: tuple[bytes, ...] = ()) -> Steps[None]:
        """Serve the request; the answer is read afterwards."""
        begin = self._platform.begin(with_app=self._with_app)
        self._platform.ledger.seat(self._entry, _THIS_PROCESS)
        try:
            inheritance = self._platform.inheritance
            if not self._with_app:
                inheritance = Inheritance(function=self._function)
            self._messages = self._servers.serve(begin, request, chunks, inheritance=inheritance)
        except ColdStartError as error:
            headline = str(error).partition("\n")[0]
            first = self._platform.note_failed_start((begin.app, "", headline))
            if not first:
                raise
            raise ColdStartError(f"{headline} (in full: {first})") from None
        yield from ()

    def abandon(self) -> Steps[None]:
        """Forget the rest of the response: it has been made already."""
        yield from ()

    def _receive(self) -> Steps[Message]:
        yield from ()
        while isinstance(message := self._messages.popleft(), Started):
            pass
        return message
