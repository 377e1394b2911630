from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recording_sink import make_request

from pytest_stateless.errors import AdapterError
from pytest_stateless.guest.adapter.api_gateway import make_event, read_result

if TYPE_CHECKING:
    from pytest_stateless.model.api_gateway import Json

NAMES = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def test_an_event_has_the_documented_shape() -> None:
    request = replace(
        make_request(
            "/my/path",
            "POST",
            query="a=1&a=2&b=x%20y&c=",
            headers=(
                ("Host", "api.example.com:8080"),
                ("User-Agent", "agent"),
                ("X-Tag", "1"),
                ("x-tag", "2"),
                ("Cookie", "c1=1; c2=2"),
            ),
        ),
        port=8080,
    )

    event = make_event(request, b"Hello", now_s=1583348638.39)

    assert event == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/my/path",
        "rawQueryString": "a=1&a=2&b=x%20y&c=",
        "cookies": ["c1=1", "c2=2"],
        "headers": {
            "host": "api.example.com:8080",
            "user-agent": "agent",
            "x-tag": "1,2",
            "x-forwarded-for": "127.0.0.1",
            "x-forwarded-port": "8080",
            "x-forwarded-proto": "http",
        },
        "queryStringParameters": {"a": "1,2", "b": "x y", "c": ""},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api-id",
            "domainName": "api.example.com",
            "domainPrefix": "api",
            "http": {
                "method": "POST",
                "path": "/my/path",
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "agent",
            },
            "requestId": "6f1e3c1a-0000-4000-8000-000000000000",
            "routeKey": "$default",
            "stage": "$default",
            "time": "04/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1583348638390,
        },
        "body": "Hello",
        "isBase64Encoded": False,
    }


def test_what_a_request_does_not_have_is_absent_from_the_event() -> None:
    event = make_event(make_request(), b"", now_s=0)

    assert not {"cookies", "queryStringParameters", "body"} & event.keys()


@pytest.mark.parametrize(
    ("content_type", "body", "is_encoded"),
    (
        ("text/html; charset=utf-8", b"<p>", False),
        ("application/json", b"{}", False),
        ("application/vnd.api+json", b"{}", False),
        ("", b"plain", False),
        ("application/x-www-form-urlencoded", b"a=1", True),
        ("image/png", b"\x89PNG", True),
        ("text/plain", b"\xff\xfe", True),
    ),
)
def test_what_is_no_text_is_encoded(content_type: str, body: bytes, *, is_encoded: bool) -> None:
    request = make_request(method="POST", headers=(("Content-Type", content_type),))

    assert make_event(request, body, now_s=0)["isBase64Encoded"] is is_encoded


@given(body=st.binary(max_size=200), kind=st.sampled_from(["", "text/plain", "image/png"]))
def test_every_body_survives_the_event(body: bytes, kind: str) -> None:
    request = make_request(method="POST", headers=(("Content-Type", kind),))

    event = json.loads(json.dumps(make_event(request, body, now_s=0)))

    text = event.get("body", "")
    assert (base64.b64decode(text) if event["isBase64Encoded"] else text.encode()) == body


@given(
    status=st.integers(100, 599),
    headers=st.dictionaries(NAMES, VALUES, max_size=4),
    cookies=st.lists(VALUES, max_size=3),
    body=st.binary(max_size=200),
)
def test_every_response_survives_the_result(
    status: int, headers: dict[str, str], cookies: list[str], body: bytes
) -> None:
    headers |= {"content-type": "image/png"}
    result: dict[str, Json] = {
        "statusCode": status,
        "headers": dict(headers),
        "cookies": list(cookies),
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }

    response = read_result(json.loads(json.dumps(result)))

    assert response.status == status
    assert response.body == body
    assert response.headers == (
        *headers.items(),
        *(("set-cookie", cookie) for cookie in cookies),
    )


@given(JSONS.filter(lambda value: not isinstance(value, str)))
def test_a_result_without_a_status_code_is_sent_as_the_json_that_it_is(value: Json) -> None:
    if isinstance(value, dict):
        value.pop("statusCode", None)

    response = read_result(value)

    assert (response.status, response.headers) == (200, (("content-type", "application/json"),))
    assert json.loads(response.body) == value


def test_a_text_result_is_the_body() -> None:
    assert read_result("Hello from Lambda!").body == b"Hello from Lambda!"


def test_headers_with_many_values_take_the_place_of_single_ones() -> None:
    response = read_result({
        "statusCode": 200,
        "headers": {"Set-Cookie": "lost=1", "X-One": True},
        "multiValueHeaders": {"set-cookie": ["a=1", "b=2"]},
    })

    assert response.headers == (
        ("x-one", "true"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("content-type", "text/plain;charset=UTF-8"),
    )


@pytest.mark.parametrize(
    ("result", "says"),
    (
        ({"statusCode": "OK"}, "statusCode 'OK'"),
        ({"statusCode": True}, "statusCode True"),
        ({"statusCode": 20}, "statusCode 20"),
        ({"statusCode": 200, "body": {"a": 1}}, "json.dumps"),
        ({"statusCode": 200, "body": "!", "isBase64Encoded": True}, "no base64"),
        ({"statusCode": 200, "headers": ["a"]}, "headers is no object"),
        ({"statusCode": 200, "headers": {"a": None}}, "header 'a' is no text"),
        ({"statusCode": 200, "cookies": "a=1"}, "cookies is no list"),
        ({"statusCode": 200, "multiValueHeaders": {"a": "b"}}, "is no list: 'b'"),
    ),
)
def test_a_malformed_result_is_named(result: Json, says: str) -> None:
    with pytest.raises(AdapterError, match=r"format 2\.0") as caught:
        read_result(result)

    assert says in str(caught.value)
