"""The way of an app's AWS calls: over a socket to moto, rather than by HTTP.

botocore asks the handlers of its event `before-send` for a response before it sends a request. Ours
is put among those that every new session gets, as moto does it. A client that was made before,
and one that is not botocore's own, finds the HTTP endpoint by `AWS_ENDPOINT_URL`.

Source: https://botocore.amazonaws.com/v1/documentation/api/latest/topics/events.html
"""

from __future__ import annotations

import io
import os
import socket
import sys
import threading
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any

from pytest_stateless.guest.channel import Channel
from pytest_stateless.wire.cloud import AwsAnswer, AwsCall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from pytest_stateless.wire.cloud import AwsRoute

_HANDLERS = "botocore.handlers"
_CHUNK_BYTES = 1 << 16


class _Connection:
    """A connection of one thread, closed when the thread has ended.

    Args:
        port: On 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        self.key = (os.getpid(), port)
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.channel = Channel(sock)

    def __del__(self) -> None:
        if hasattr(self, "channel"):
            self.channel.close()


class _Way:
    """Where calls go.

    Attributes:
        route: To whom; None where they go by HTTP.
    """

    def __init__(self) -> None:
        self.route: AwsRoute | None = None
        self._connections = threading.local()

    def ask(self, call: AwsCall, port: int) -> AwsAnswer:
        """Have a call answered.

        Args:
            call: The call.
            port: On 127.0.0.1, where it is answered.

        Returns:
            The answer.

        Raises:
            OSError: Nobody answers.
            ConnectionResetError: moto has ended.
        """
        channel = self._channel(port)
        try:
            channel.send(call)
            answer = channel.receive()
        except OSError:
            self._connections.known = None
            raise
        if not isinstance(answer, AwsAnswer):
            self._connections.known = None
            raise ConnectionResetError("moto has ended")
        return answer

    def _channel(self, port: int) -> Channel:
        """Return the connection of this thread, which no fork shares."""
        known: _Connection | None = getattr(self._connections, "known", None)
        if known is None or known.key != (os.getpid(), port):
            known = self._connections.known = _Connection(port)
        return known.channel


_WAY = _Way()


def lead(route: AwsRoute | None) -> None:
    """Lead AWS calls of this process somewhere from now on.

    Args:
        route: To whom; None for where they would go.
    """
    _WAY.route = route
    if route is None:
        return
    stubber: Any = getattr(sys.modules.get("moto.core.models"), "botocore_stubber", None)
    if stubber is not None and stubber.enabled:
        # a fork of a test process that mocks AWS: this mock is a copy that nobody else sees, and
        # botocore would ask both handlers
        stubber.process_request = _process
        return
    handlers = sys.modules.get(_HANDLERS)
    if handlers is not None:
        _add_handler(handlers)
    elif not any(isinstance(finder, _AtImport) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AtImport())


class _AtImport:
    """Adds the handler as soon as botocore's are imported."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Find one module, `importlib.abc.MetaPathFinder.find_spec`."""
        if fullname != _HANDLERS:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        loader: Any = spec.loader if spec is not None else None
        if loader is not None:
            execute = loader.exec_module

            def execute_and_add(module: ModuleType) -> None:
                execute(module)
                _add_handler(module)

            loader.exec_module = execute_and_add
        return spec


def _add_handler(handlers: ModuleType) -> None:
    known: list[tuple[str, Callable[..., Any]]] = handlers.BUILTIN_HANDLERS
    if ("before-send", _before_send) not in known:
        known.append(("before-send", _before_send))


def _answer(request: Any) -> AwsAnswer | None:  # noqa: ANN401 (botocore's own type)
    route = _WAY.route
    # a library that is built on botocore, such as aiobotocore, wants another kind of response
    if route is None or not type(request).__module__.startswith("botocore."):
        return None
    if not request.url.startswith(route.endpoint):
        return None
    call = AwsCall(
        method=request.method,
        url=request.url,
        headers=tuple((name, _text(value)) for name, value in request.headers.items()),
        blob=_read(request.body),
    )
    answer = _WAY.ask(call, route.port)
    return answer if answer.status else None


def _process(request: Any) -> tuple[int, Any, bytes] | None:  # noqa: ANN401 (botocore's own type)
    """Stand in for the method of moto's stubber."""
    answer = _answer(request)
    return None if answer is None else (answer.status, dict(answer.headers), answer.blob)


def _before_send(request: Any, **_: object) -> Any:  # noqa: ANN401 (botocore's own types)
    """Answer a request of botocore's, or return None to have it sent."""
    answer = _answer(request)
    if answer is None:
        return None
    from botocore.awsrequest import AWSResponse, HeadersDict  # noqa: PLC0415 (it is loaded by now)

    headers = HeadersDict(answer.headers)
    return AWSResponse(request.url, answer.status, headers, _Raw(answer.blob))


class _Raw(io.BytesIO):
    """A response's body, with what botocore uses of urllib3's."""

    def stream(self, amt: int = _CHUNK_BYTES, **_: object) -> Iterator[bytes]:
        """Yield the rest in pieces."""
        while data := self.read(amt):
            yield data


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _read(body: Any) -> bytes:  # noqa: ANN401 (text, bytes, or a file)
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    return bytes(body) if isinstance(body, (bytes, bytearray, memoryview)) else bytes(body.read())
