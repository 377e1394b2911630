from __future__ import annotations

import asyncio
import decimal
import json
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI, Response
from mangum import Mangum
from recording_sink import STACK, RecordingSink, loaded, make_invoke, make_request

from pytest_stateless.errors import AdapterError
from pytest_stateless.guest.adapter.lambda_ import LambdaAdapter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_stateless.guest.adapter.context import LambdaContext


def invoke(handler: object, event: object = None, context: str = "") -> RecordingSink:
    sink = RecordingSink()
    adapter = LambdaAdapter(loaded(handler, "lambda"), STACK)
    adapter.start()
    adapter.invoke(make_invoke(json.dumps(event).encode(), context), sink)
    return sink


def test_an_event_and_its_result_travel_as_json() -> None:
    def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        return {"got": event, "id": context.aws_request_id, "pair": (1, 2)}

    sink = invoke(handler, {"a": [1, None]})

    assert json.loads(sink.results[0]) == {
        "got": {"a": [1, None]},
        "id": "6f1e3c1a-0000-4000-8000-000000000000",
        "pair": [1, 2],
    }
    assert sink.calls == ["returned", "complete"]


def test_decimals_become_numbers_as_in_the_runtime() -> None:
    values = [decimal.Decimal(3), decimal.Decimal("3.5"), decimal.Decimal("1E+2")]

    sink = invoke(lambda _event, _context: values)

    assert json.loads(sink.results[0]) == [3, 3.5, 100]


def test_what_the_handler_raises_is_reported_and_described_to_the_caller() -> None:
    def handler(_event: object, _context: object) -> None:
        raise LookupError("no sku")

    sink = invoke(handler)

    assert [repr(error) for error in sink.errors] == ["LookupError('no sku')"]
    described = json.loads(sink.results[0])
    assert described["errorType"] == "LookupError"
    assert described["errorMessage"] == "no sku"
    assert described["requestId"] == "6f1e3c1a-0000-4000-8000-000000000000"
    (line,) = described["stackTrace"]
    assert "in handler" in line
    assert 'raise LookupError("no sku")' in line


@pytest.mark.parametrize(
    ("result", "says"),
    (
        ({1, 2}, "returned set {1, 2}, which is not JSON"),
        ({"when": object}, "returned dict"),
        (b"bytes", "returned bytes b'bytes'"),
    ),
)
def test_a_result_that_is_not_json_is_a_breach(result: object, says: str) -> None:
    sink = invoke(lambda _event, _context: result)

    (error,) = sink.errors
    assert isinstance(error, AdapterError)
    assert says in str(error)
    assert json.loads(sink.results[0])["errorType"] == "Runtime.MarshalError"


def test_an_async_handler_is_a_breach() -> None:
    async def handler(_event: object, _context: object) -> None:
        """Do nothing, which nobody awaits."""

    sink = invoke(handler)

    (error,) = sink.errors
    assert isinstance(error, AdapterError)
    assert "does not await" in str(error)


def test_the_caller_sets_attributes_of_the_context() -> None:
    def handler(_event: object, context: Any) -> list[object]:  # noqa: ANN401 (a user writes no types)
        identity = context.identity
        return [
            context.function_name,
            context.memory_limit_in_mb,
            context.client_context.client.app_title,
            context.client_context.custom,
            identity.cognito_identity_id,
            identity.cognito_identity_pool_id,
        ]

    sink = invoke(
        handler,
        context=json.dumps({
            "function_name": "orders",
            "memory_limit_in_mb": 512,
            "client_context": {"client": {"app_title": "shop"}, "custom": {"a": 1}},
            "identity": {"cognito_identity_id": "me"},
        }),
    )

    assert json.loads(sink.results[0]) == ["orders", "512", "shop", {"a": 1}, "me", None]


def test_an_attribute_that_no_context_has_is_named() -> None:
    sink = invoke(lambda _event, _context: None, context='{"function_nam": "orders"}')

    (error,) = sink.errors
    assert isinstance(error, AdapterError)
    assert "'function_nam'" in str(error)
    assert "function_name," in str(error)


def test_a_request_goes_through_api_gateway_and_back() -> None:
    def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
        body = {"path": event["rawPath"], "sku": event["body"], "cookies": event["cookies"]}
        return {
            "statusCode": 201,
            "headers": {"X-One": 1},
            "cookies": ["a=1", "b=2"],
            "body": json.dumps(body),
        }

    sink = RecordingSink()
    headers = (("Host", "testserver"), ("Cookie", "x=1; y=2"))
    LambdaAdapter(loaded(handler, "lambda"), STACK).serve(
        make_request("/cart", "POST", headers=headers), (b"te", b"a"), sink
    )

    assert sink.status == 201
    assert json.loads(sink.content) == {"path": "/cart", "sku": "tea", "cookies": ["x=1", "y=2"]}
    assert ("set-cookie", "a=1") in sink.headers
    assert ("set-cookie", "b=2") in sink.headers
    assert ("x-one", "1") in sink.headers
    assert sink.calls == ["start", "body", "complete"]


def _raises(_event: object, _context: object) -> None:
    raise LookupError("no sku")


def _bad_status(_event: object, _context: object) -> dict[str, object]:
    return {"statusCode": "fine"}


@pytest.mark.parametrize(
    ("handler", "error"), ((_raises, LookupError), (_bad_status, AdapterError))
)
def test_a_request_that_fails_is_answered_as_api_gateway_does(
    handler: Callable[..., object], error: type[Exception]
) -> None:
    sink = RecordingSink()

    LambdaAdapter(loaded(handler, "lambda"), STACK).serve(make_request(), (), sink)

    assert [type(raised) for raised in sink.errors] == [error]
    assert (sink.status, json.loads(sink.content)) == (500, {"message": "Internal Server Error"})
    assert sink.calls[-1] == "complete"


@pytest.fixture
def _event_loop() -> Iterator[None]:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)  # which Mangum asks for
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.mark.usefixtures("_event_loop")
def test_a_fastapi_app_behind_mangum_answers_requests() -> None:
    app = FastAPI()

    @app.post("/echo/{name}")
    async def echo(name: str, q: str, payload: dict[str, str]) -> Response:
        answer = Response(f"{name} {q} {payload['sku']}", media_type="text/plain")
        answer.set_cookie("a", "1")
        answer.set_cookie("b", "2")
        return answer

    sink = RecordingSink()
    headers = (("Host", "testserver"), ("Content-Type", "application/json"))
    LambdaAdapter(loaded(Mangum(app, lifespan="off"), "lambda"), STACK).serve(
        make_request("/echo/t%C3%A9", "POST", query="q=a%20b", headers=headers),
        (b'{"sku": "tea"}',),
        sink,
    )

    assert sink.errors == []
    assert (sink.status, sink.content.decode()) == (200, "té a b tea")
    assert [name for name, _ in sink.headers].count("set-cookie") == 2


def test_a_head_request_to_a_handler_has_no_body() -> None:
    sink = RecordingSink()
    adapter = LambdaAdapter(loaded(lambda _event, _context: "hello", "lambda"), STACK)

    adapter.serve(make_request(method="HEAD"), (), sink)

    assert (sink.status, sink.content) == (200, b"")
