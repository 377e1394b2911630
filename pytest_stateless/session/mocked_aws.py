"""moto as the test process has it: `mock_aws`, answering the calls of instances too.

An instance is another process; without this its calls would leave for the real AWS. They come
over a socket, and a thread hands them to the mock that is active then.

Source: https://docs.getmoto.org/en/latest/docs/getting_started.html#decorator
"""

from __future__ import annotations

import socket
import sys
import threading
from typing import Any

from pytest_stateless.forkserver import host_ends
from pytest_stateless.guest.channel import Channel
from pytest_stateless.wire.cloud import AwsAnswer, AwsCall, AwsRoute

_STATUS_OF_ERROR = 501


def _stubber() -> Any:  # noqa: ANN401 (moto's own type)
    return getattr(sys.modules.get("moto.core.models"), "botocore_stubber", None)


def is_mocked() -> bool:
    """Tell whether AWS is mocked in this process now."""
    stubber = _stubber()
    return stubber is not None and bool(stubber.enabled)


class MockedAws:
    """Answers calls of instances with this process's mock, from when that is first asked for."""

    def __init__(self) -> None:
        self._listener: socket.socket | None = None

    def route(self) -> AwsRoute:
        """Return where calls are answered."""
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", 0))
            host_ends.add(self._listener.fileno())
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        return AwsRoute(port=self._listener.getsockname()[1])

    def close(self) -> None:
        """Answer no more."""
        if self._listener is not None:
            host_ends.discard(self._listener.fileno())
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    @staticmethod
    def _accept(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # it was closed
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_answer_all, args=(connection,), daemon=True).start()


def _answer_all(connection: socket.socket) -> None:
    channel = Channel(connection)
    try:
        while isinstance(call := channel.receive(), AwsCall):
            channel.send(_answer(call))
    except OSError:
        return  # the instance is gone
    finally:
        channel.close()


def _answer(call: AwsCall) -> AwsAnswer:
    from botocore.awsrequest import AWSPreparedRequest, HeadersDict  # noqa: PLC0415 (moto has it)

    stubber = _stubber()
    if not is_mocked():
        return AwsAnswer(status=0, headers=(), blob=b"")
    request = AWSPreparedRequest(
        call.method, call.url, HeadersDict(call.headers), call.blob, stream_output=False
    )
    try:
        response = stubber.process_request(request)
    except Exception as error:  # noqa: BLE001 (as the app would have met it)
        return AwsAnswer(status=_STATUS_OF_ERROR, headers=(), blob=f"moto: {error!r}".encode())
    if response is None:
        return AwsAnswer(status=0, headers=(), blob=b"")
    status, headers, body = response
    return AwsAnswer(
        status=status,
        headers=tuple((str(name), str(value)) for name, value in headers.items()),
        blob=body.encode() if isinstance(body, str) else bytes(body),
    )
