"""The transports behind the clients: httpx2 requests in, httpx2 responses out.

Source: "Custom transports" of httpx (https://www.python-httpx.org/advanced/transports/), whose
interface httpx2 keeps.
"""

from __future__ import annotations

import contextlib
import logging
import uuid
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx2

from pytest_stateless.errors import ConfigurationError
from pytest_stateless.instance.drive import run, run_async
from pytest_stateless.instance.handle import DeadlinePassed
from pytest_stateless.judge.limits import judge_payload
from pytest_stateless.model.exchange import Exchange
from pytest_stateless.session.caller import caller_place
from pytest_stateless.session.conversation import Conversation
from pytest_stateless.session.provision import log_levels
from pytest_stateless.wire.messages import Serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from pytest_stateless.model.finding import Finding
    from pytest_stateless.session.ledger import Entry
    from pytest_stateless.session.platform import Platform
    from pytest_stateless.wire.messages import ResponseStart

BASE_URL = "https://localhost"
"""Of every client: platforms speak HTTPS, and frameworks trust this host in their debug mode."""

_PORTS = {"http": 80, "https": 443}
_CONTENT_TOO_LARGE = 413


class _Quiet(logging.Filter):
    """Drops the client's own log line about each request: `caplog` is for what the app logs."""

    def __init__(self) -> None:
        super().__init__()
        self._ours: deque[httpx2.URL] = deque(maxlen=64)

    def expect(self, url: httpx2.URL) -> None:
        """Drop the next line about this very URL object."""
        self._ours.append(url)

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record is to be kept, `logging.Filter.filter`."""
        args = record.args if isinstance(record.args, tuple) else ()
        return not any(one is url for one in args for url in self._ours)


_QUIET = _Quiet()
logging.getLogger("httpx2").addFilter(_QUIET)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opening:
    """A request on its way: its exchange, and its conversation unless it was turned away."""

    exchange: Exchange
    conversation: Conversation | None
    serve: Serve


class _Stream(httpx2.SyncByteStream):
    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    def __iter__(self) -> Iterator[bytes]:
        with _translated():
            while (chunk := run(self._conversation.next_chunk())) is not None:
                yield chunk

    def close(self) -> None:
        run(self._conversation.abandon())


class _AsyncStream(httpx2.AsyncByteStream):
    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _translated():
            while (chunk := await run_async(self._conversation.next_chunk())) is not None:
                yield chunk

    async def aclose(self) -> None:
        await run_async(self._conversation.abandon())


class Transport(httpx2.BaseTransport):
    """Sends each request of a client to an instance.

    Args:
        platform: Decides which.
        host: The one host that the app answers for.
    """

    def __init__(self, platform: Platform, host: str) -> None:
        self._platform = platform
        self._host = host

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Serve one request, `httpx2.BaseTransport.handle_request`.

        Args:
            request: The request.

        Returns:
            The response, its body still to be read; the exchange is in its extensions.

        Raises:
            ConfigurationError: The URL is not the app's.
        """
        _check_url(request.url, self._host)
        _QUIET.expect(request.url)
        assert isinstance(request.stream, httpx2.SyncByteStream)  # noqa: S101 (a sync client)
        chunks = tuple(chunk for chunk in request.stream if chunk)
        opening = _open(self._platform, request, chunks)
        if opening.conversation is None:
            return _turn_away(opening.exchange)
        with _translated(opening.conversation):
            run(opening.conversation.open(opening.serve, chunks))
            start = run(opening.conversation.await_start())
        return _respond(start, _Stream(opening.conversation), opening.exchange)


class AsyncTransport(httpx2.AsyncBaseTransport):
    """Sends each request of an async client to an instance.

    Args:
        platform: Decides which.
        host: The one host that the app answers for.
    """

    def __init__(self, platform: Platform, host: str) -> None:
        self._platform = platform
        self._host = host

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Serve one request, `httpx2.AsyncBaseTransport.handle_async_request`.

        Args:
            request: The request.

        Returns:
            The response, its body still to be read; the exchange is in its extensions.

        Raises:
            ConfigurationError: The URL is not the app's.
        """
        _check_url(request.url, self._host)
        _QUIET.expect(request.url)
        assert isinstance(request.stream, httpx2.AsyncByteStream)  # noqa: S101 (an async client)
        chunks = tuple([chunk async for chunk in request.stream if chunk])
        opening = _open(self._platform, request, chunks)
        if opening.conversation is None:
            return _turn_away(opening.exchange)
        with _translated(opening.conversation):
            await run_async(opening.conversation.open(opening.serve, chunks))
            start = await run_async(opening.conversation.await_start())
        return _respond(start, _AsyncStream(opening.conversation), opening.exchange)


@contextlib.contextmanager
def _translated(conversation: Conversation | None = None) -> Iterator[None]:
    """Give errors of the client's own kind, and leave no instance behind.

    Args:
        conversation: What nobody else will close if this fails: a cancelled task, a Ctrl-C.

    Raises:
        httpx2.ReadTimeout: The client has a timeout of its own, and it passed.
    """
    try:
        yield
    except DeadlinePassed:
        if conversation is not None:
            conversation.drop()
        raise httpx2.ReadTimeout(
            "the client's own timeout passed before the app answered"
        ) from None
    except BaseException:
        if conversation is not None:
            conversation.drop()
        raise


def _check_url(url: httpx2.URL, host: str) -> None:
    if url.scheme not in _PORTS or url.host != host:
        raise ConfigurationError(
            f"{url}: the app under test is at https://{host} (and http://{host}); write the path "
            "alone, such as '/cart', or make a client for another host with "
            "stateless.new_client(base_url=...)"
        )


def _open(platform: Platform, request: httpx2.Request, chunks: tuple[bytes, ...]) -> _Opening:
    url = request.url
    target = url.raw_path.decode("ascii")
    path, _, query = target.partition("?")
    serve = Serve(
        number=len(platform.ledger.entries) + 1,
        request_id=str(uuid.uuid4()),
        method=request.method,
        scheme=url.scheme,
        host=url.host,
        port=url.port or _PORTS[url.scheme],
        raw_path=path,
        query=query,
        headers=tuple(
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw
        ),
        timeout_s=platform.settings.platform.timeout_s,
        log_levels=log_levels(),
    )
    entry, conversation = platform.converse(f"{request.method} {path}", with_app=True)
    conversation.patience_s = request.extensions.get("timeout", {}).get("read")
    if judge_request_size(platform, entry, sum(map(len, chunks))) is not None:
        entry.exchange.status = _CONTENT_TOO_LARGE
        entry.exchange.is_complete = True
        return _Opening(exchange=entry.exchange, conversation=None, serve=serve)
    return _Opening(exchange=entry.exchange, conversation=conversation, serve=serve)


def judge_request_size(platform: Platform, entry: Entry, size_bytes: int) -> Finding | None:
    """Judge whether the platform carries a request, and note it in the ledger if not.

    Args:
        platform: Whose limit counts.
        entry: The exchange.
        size_bytes: Of the body, or of the event as JSON.

    Returns:
        The finding, or None if the request reaches the app.
    """
    limit = platform.settings.platform.request_bytes
    if limit is None or size_bytes <= limit or not platform.is_enforced:
        return None  # the usual case need not look for the caller
    finding = judge_payload(
        "request", size_bytes, context=entry.context, place=caller_place(platform.boundary)
    )
    if finding is not None:
        entry.limits.append(finding)
    return finding


def _turn_away(exchange: Exchange) -> httpx2.Response:
    """Answer as the platform does when a body is too large: the app never sees the request."""
    return httpx2.Response(
        _CONTENT_TOO_LARGE,
        json={"message": "Request Entity Too Large"},
        extensions={"http_version": b"HTTP/1.1", "stateless": exchange},
    )


def _respond(
    start: ResponseStart, stream: _Stream | _AsyncStream, exchange: Exchange
) -> httpx2.Response:
    return httpx2.Response(
        start.status,
        headers=[
            (name.encode("latin-1"), value.encode("latin-1")) for name, value in start.headers
        ],
        stream=stream,
        extensions={"http_version": b"HTTP/1.1", "stateless": exchange},
    )
