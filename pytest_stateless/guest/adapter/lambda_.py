"""The Lambda adapter: one handler called as the Lambda runtime calls it.

Event and result cross as JSON, so that what JSON cannot carry fails here as it fails there. An
HTTP request goes through an API Gateway event and back.

Source: the runtime is aws-lambda-python-runtime-interface-client (awslambdaric): `bootstrap.py`
for errors, `lambda_runtime_marshaller.py` for results.
"""

from __future__ import annotations

import inspect
import json
import math
import sys
import time
import traceback
from typing import TYPE_CHECKING, cast

from pytest_stateless.errors import AdapterError
from pytest_stateless.guest.adapter.api_gateway import make_event, read_result
from pytest_stateless.guest.adapter.context import LambdaContext
from pytest_stateless.guest.stack import is_internal

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from pytest_stateless.guest.adapter.contract import Sink
    from pytest_stateless.guest.adapter.load import LoadedApp
    from pytest_stateless.guest.stack import StackReader
    from pytest_stateless.model.api_gateway import Json
    from pytest_stateless.model.app_reference import AppKind
    from pytest_stateless.wire.messages import Invoke, Serve

_GATEWAY_ERROR = b'{"message":"Internal Server Error"}'


class LambdaAdapter:
    """Calls one Lambda handler.

    Args:
        loaded: The handler.
        stack: Not used: a handler is complete when it returns.
    """

    kind: AppKind = "lambda"

    def __init__(self, loaded: LoadedApp, stack: StackReader) -> None:  # noqa: ARG002 (as all adapters are made)
        self._handler = cast("Callable[[Json, LambdaContext], object]", loaded.app)

    def start(self) -> None:
        """A handler has no start-up beyond its import: nothing happens."""

    def serve(self, request: Serve, chunks: tuple[bytes, ...], sink: Sink) -> None:
        """Answer a request as an HTTP API with this handler does.

        Args:
            request: Its head.
            chunks: Its body.
            sink: Where the answer goes.
        """
        event = make_event(request, b"".join(chunks), now_s=time.time())
        try:
            context = LambdaContext(request.request_id, request.timeout_s)
            encoded = self._handle(json.dumps(event), context)
            response = read_result(json.loads(encoded))
        except Exception as error:  # noqa: BLE001 (whatever the handler raises is data)
            sink.raised(error)
            sink.start(500, [("content-type", "application/json")])
            body = _GATEWAY_ERROR
        else:
            sink.start(response.status, response.headers)
            body = response.body
        if body and request.method != "HEAD":
            sink.body(body)
        sink.complete()

    def invoke(self, event: Invoke, sink: Sink) -> None:
        """Handle one event.

        Args:
            event: The event.
            sink: Where the result goes.
        """
        try:
            overrides = json.loads(event.context) if event.context else {}
            context = LambdaContext(event.request_id, event.timeout_s, overrides)
            result = self._handle(event.blob, context)
        except Exception as error:  # noqa: BLE001 (whatever the handler raises is data)
            sink.raised(error)
            result = encode_result(describe_error(error, event.request_id))
        sink.returned(result)
        sink.complete()

    def _handle(self, event: str | bytes, context: LambdaContext) -> bytes:
        result = self._handler(json.loads(event), context)
        if inspect.isawaitable(result):
            if inspect.iscoroutine(result):
                result.close()
            raise AdapterError(
                "the Lambda handler returned a coroutine, which Lambda does not await; "
                "make it a plain function that calls asyncio.run(...)"
            )
        return encode_result(result)


def encode_result(result: object) -> bytes:
    """Encode what a handler returned, as the runtime does: decimals become numbers.

    Args:
        result: Of the handler.

    Returns:
        JSON in UTF-8.

    Raises:
        AdapterError: It cannot be written as JSON.
    """
    try:
        return json.dumps(result, default=_encode_decimal, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise AdapterError(
            f"the Lambda handler returned {type(result).__name__} {result!r:.120}, which is not "
            f"JSON: {error}; return dicts, lists, text, numbers, booleans or None"
        ) from error


def describe_error(error: Exception, request_id: str) -> dict[str, object]:
    """Describe an exception as the runtime tells it to the caller.

    Args:
        error: What the handler raised, or our objection to its result.
        request_id: Of the invocation.

    Returns:
        `errorMessage`, `errorType`, `requestId` and `stackTrace`.
    """
    if isinstance(error, AdapterError):
        name = "Runtime.MarshalError"
        lines: list[str] = []
    else:
        name = type(error).__name__
        frames = (
            step
            for step in traceback.walk_tb(error.__traceback__)
            if not is_internal(step[0].f_code)
        )
        lines = traceback.StackSummary.extract(frames).format()
    return {
        "errorMessage": str(error),
        "errorType": name,
        "requestId": request_id,
        "stackTrace": lines,
    }


def _encode_decimal(value: object) -> int | float:
    decimals = sys.modules.get("decimal")
    if decimals is None or not isinstance(value, decimals.Decimal):
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
    number = cast("Decimal", value)
    if number.is_nan():
        return math.nan
    return int(number) if number == number.to_integral_value() else float(number)
