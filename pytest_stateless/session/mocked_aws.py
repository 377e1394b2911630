"""moto as the test process has it: `mock_aws`, answering the calls of instances too.

An instance is another process; without this its calls would leave for the real AWS. They come
over a socket, and a thread hands them to the mock that is active then.

Source: https://docs.getmoto.org/en/latest/docs/getting_started.html#decorator
"""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING, Any

from pytest_stateless.forkserver import host_ends
from pytest_stateless.forkserver.cloud.calls import NOT_IMPLEMENTED, take_calls, word_failure
from pytest_stateless.wire.cloud import AwsAnswer, AwsRoute

if TYPE_CHECKING:
    from pytest_stateless.wire.cloud import AwsCall


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
            take_calls(self._listener, _answer)
        return AwsRoute(port=self._listener.getsockname()[1])

    def close(self) -> None:
        """Answer no more."""
        if self._listener is not None:
            host_ends.discard(self._listener.fileno())
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None


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
    except Exception as error:  # noqa: BLE001 (moto may raise anything)
        kind, text = word_failure(
            error,
            content_type=request.headers.get("Content-Type", ""),
            is_targeted="X-Amz-Target" in request.headers,
        )
        headers = (("Content-Type", kind),)
        return AwsAnswer(status=NOT_IMPLEMENTED, headers=headers, blob=text)
    if response is None:
        return AwsAnswer(status=0, headers=(), blob=b"")
    status, fields, body = response
    return AwsAnswer(
        status=status,
        headers=tuple((str(name), str(value)) for name, value in fields.items()),
        blob=body.encode() if isinstance(body, str) else bytes(body),
    )
