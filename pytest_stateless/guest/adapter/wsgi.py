"""The WSGI adapter: one app called as a WSGI server calls it.

The order of events at the end is the server's: the iterable is exhausted, the last byte is
handed over, and only then `close()` is called; what that runs is after the response.

Source: PEP 3333 (https://peps.python.org/pep-3333/).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pytest_stateless.errors import AdapterError
from pytest_stateless.guest.adapter.environ import make_environ
from pytest_stateless.guest.adapter.late_close import CloseWatch
from pytest_stateless.guest.adapter.refusal import plain_server_error, refuse_event

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from pytest_stateless.guest.adapter.contract import Sink
    from pytest_stateless.guest.adapter.load import LoadedApp
    from pytest_stateless.guest.stack import StackReader
    from pytest_stateless.model.app_reference import AppKind
    from pytest_stateless.wire.messages import Invoke, Serve

    ExcInfo = (
        tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
    )
    WsgiApp = Callable[[dict[str, object], object], object]

_STATUS = re.compile(r"\d{3} .*", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class WsgiAdapter:
    """Speaks WSGI with one app.

    Args:
        loaded: The app.
        stack: Decides what is first-party.
    """

    kind: AppKind = "wsgi"

    def __init__(self, loaded: LoadedApp, stack: StackReader) -> None:
        self._app: WsgiApp = loaded.app  # type: ignore[assignment]  # told apart at load
        self._reference = loaded.reference
        self._stack = stack

    def start(self) -> None:
        """WSGI has no start-up: nothing happens."""

    def serve(self, request: Serve, chunks: tuple[bytes, ...], sink: Sink) -> None:
        """Answer one request.

        Args:
            request: Its head.
            chunks: Its body.
            sink: Where the answer goes.
        """
        response = _Response(request.method, sink)
        result: object = None
        try:
            result = self._app(make_environ(request, chunks), response.start)
            _hand_over(result, response)
            response.finish()
        except Exception as error:  # noqa: BLE001 (whatever the app raises is data)
            response.fail(error)
        sink.complete()
        self._close(result, sink)

    def invoke(self, event: Invoke, sink: Sink) -> None:  # noqa: ARG002 (the contract's names)
        """Refuse an event, which no WSGI app takes.

        Args:
            event: Not used.
            sink: Not used.

        Raises:
            AdapterError: Always.
        """
        refuse_event(self.kind, self._reference)

    def _close(self, result: object, sink: Sink) -> None:
        close = getattr(result, "close", None)
        if close is None:
            return
        try:
            survivors = CloseWatch(self._stack).run(close)
        except Exception as error:  # noqa: BLE001 (whatever the app raises is data)
            sink.raised(error)
            return
        for survivor in survivors:
            sink.survived(survivor)


class _Response:
    """What one request has been answered so far, checked against the convention."""

    __slots__ = ("_fault", "_head", "_is_sent", "_method", "_sink")

    def __init__(self, method: str, sink: Sink) -> None:
        self._method = method
        self._sink = sink
        self._head: tuple[int, list[tuple[str, str]]] | None = None
        self._is_sent = False
        self._fault: AdapterError | None = None

    @property
    def is_abandoned(self) -> bool:
        """Whether nobody waits for the rest."""
        return self._sink.is_disconnected()

    def start(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], None]:
        """Be `start_response`."""
        if exc_info is not None and exc_info[1] is not None:
            if self._is_sent:
                raise exc_info[1].with_traceback(exc_info[2])
        elif self._head is not None:
            raise self._breach(
                f"start_response was called twice, with {status!r} the second time and no exc_info"
            )
        self._head = (self._checked_status(status), self._checked_headers(headers))
        return self.write

    def write(self, data: bytes) -> None:
        """Be the `write` callable: headers go before the first byte that is not empty."""
        if not isinstance(data, bytes):
            raise self._breach(
                f"a piece of the response body is no bytes but {type(data).__name__}: {data!r:.80}"
            )
        if self._head is None:
            raise self._breach("the app sent its body before it called start_response")
        if not data:
            return
        self._send_head()
        if self._method != "HEAD":
            self._sink.body(data)

    def finish(self) -> None:
        """End a response that went well; an app may have swallowed our objection to it."""
        if self._fault is not None:
            raise self._fault
        if self._head is None:
            raise self._breach("the app returned without having called start_response")
        self._send_head()

    def fail(self, error: Exception) -> None:
        """End a response that did not: a server error, if nothing has been sent yet."""
        self._sink.raised(self._fault or error)
        if not self._is_sent:
            self._is_sent = True
            plain_server_error(self._method, self._sink)

    def _send_head(self) -> None:
        if self._head is not None and not self._is_sent:
            self._is_sent = True
            self._sink.start(*self._head)

    def _breach(self, what: str) -> AdapterError:
        self._fault = AdapterError(f"the WSGI app broke its convention (PEP 3333): {what}")
        return self._fault

    def _checked_status(self, status: object) -> int:
        if not isinstance(status, str):
            raise self._breach(
                f"status {status!r} is no text but {type(status).__name__}; "
                "it must read like '200 OK'"
            )
        if not _STATUS.fullmatch(status):
            raise self._breach(f"status {status!r} must read like '200 OK'")
        return int(status[:3])

    def _checked_headers(self, headers: object) -> list[tuple[str, str]]:
        if not isinstance(headers, list):
            raise self._breach(f"headers are no list but {type(headers).__name__}: {headers!r:.80}")
        for header in headers:
            is_pair = isinstance(header, tuple) and [type(part) for part in header] == [str, str]
            if not is_pair and not _is_text_pair(header):
                raise self._breach(f"header {header!r:.80} is no (text, text) tuple")
            if any(_CONTROL.search(part) or not _is_latin1(part) for part in header):
                raise self._breach(
                    f"header {header!r:.80} has characters that HTTP cannot carry "
                    "(control characters, or outside latin-1)"
                )
        return list(headers)


def _is_text_pair(header: object) -> bool:
    return (
        isinstance(header, tuple)
        and len(header) == 2  # noqa: PLR2004 (a pair)
        and all(isinstance(part, str) for part in header)
    )


def _is_latin1(text: str) -> bool:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True


def _hand_over(result: object, response: _Response) -> None:
    if isinstance(result, (str, bytes)) or not isinstance(result, Iterable):
        name = type(result).__name__
        raise response._breach(  # noqa: SLF001 (one module's two halves)
            f"the app returned {name} ({result!r:.80}); return a list of bytes, such as [b'text']"
        )
    for piece in result:
        response.write(piece)
        if response.is_abandoned:
            return
