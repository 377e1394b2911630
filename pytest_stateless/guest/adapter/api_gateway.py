"""HTTP to and from a Lambda handler, as an API Gateway HTTP API does it, payload format 2.0.

Pure: a request becomes an event, a handler's result becomes a response.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
(inference of a response without statusCode, cookies). The media types that travel as text
are those that HTTP APIs are seen to pass on unencoded; form posts arrive in base64 there.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_stateless.errors import AdapterError
from pytest_stateless.model.api_gateway import HttpCall, event_v2

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_stateless.model.api_gateway import Json
    from pytest_stateless.wire.messages import Serve

_TEXT_TYPES = frozenset({"application/json", "application/javascript", "application/xml"})


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """What the client gets.

    Attributes:
        status: The code.
        headers: Names and values, a name as often as it has values.
        body: The bytes.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def make_event(request: Serve, body: bytes, *, now_s: float) -> dict[str, Json]:
    """Turn an HTTP request into an event.

    Args:
        request: Its head.
        body: Its body.
        now_s: Seconds since the epoch.

    Returns:
        The event, ready for `json.dumps`.
    """
    kind = next((value for name, value in request.headers if name.lower() == "content-type"), "")
    text = _as_text(body, kind)
    call = HttpCall(
        method=request.method,
        path=request.raw_path,
        query=request.query,
        headers=request.headers,
        body=body if text is None else text,
        scheme=request.scheme,
        port=request.port,
        request_id=request.request_id,
        now_s=now_s,
    )
    return event_v2(call)


def read_result(result: Json) -> HttpResponse:
    """Turn a handler's result into a response.

    Args:
        result: As it arrives from the Lambda runtime, decoded.

    Returns:
        The response.

    Raises:
        AdapterError: API Gateway would answer 500 for it.
    """
    if not isinstance(result, dict) or "statusCode" not in result:
        # text stands for itself, all else is sent as the JSON that it is
        body = result if isinstance(result, str) else json.dumps(result, separators=(",", ":"))
        return HttpResponse(
            status=200, headers=(("content-type", "application/json"),), body=body.encode()
        )
    headers = list(_headers(result))
    if not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", "text/plain;charset=UTF-8"))
    return HttpResponse(
        status=_status(result["statusCode"]),
        headers=(*headers, *_cookies(result)),
        body=_body(result),
    )


def _as_text(body: bytes, content_type: str) -> str | None:
    kind = content_type.partition(";")[0].strip().lower()
    is_text = not kind or kind.startswith("text/") or kind in _TEXT_TYPES
    if not is_text and not kind.endswith(("+json", "+xml")):
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def _status(value: Json) -> int:
    text = str(value)
    if isinstance(value, (int, str)) and text.isascii() and text.isdigit() and len(text) == 3:  # noqa: PLR2004
        return int(text)
    raise _breach(f"statusCode {value!r} is no status code, such as 200")


def _headers(result: dict[str, Json]) -> Iterator[tuple[str, str]]:
    single = _mapping(result, "headers")
    multiple = _mapping(result, "multiValueHeaders")
    repeated = {name.lower() for name in multiple}
    for name, value in single.items():
        if name.lower() not in repeated:
            yield name.lower(), _header_text(name, value)
    for name, values in multiple.items():
        if not isinstance(values, list):
            raise _breach(f"multiValueHeaders[{name!r}] is no list: {values!r:.80}")
        for value in values:
            yield name.lower(), _header_text(name, value)


def _mapping(result: dict[str, Json], key: str) -> dict[str, Json]:
    value = result.get(key) or {}
    if not isinstance(value, dict):
        raise _breach(f"{key} is no object: {value!r:.80}")
    return value


def _header_text(name: str, value: Json) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, (str, int, float)):
        raise _breach(f"header {name!r} is no text: {value!r:.80}")
    return str(value)


def _cookies(result: dict[str, Json]) -> Iterator[tuple[str, str]]:
    cookies = result.get("cookies") or []
    if not isinstance(cookies, list):
        raise _breach(f"cookies is no list: {cookies!r:.80}")
    for cookie in cookies:
        yield "set-cookie", _header_text("set-cookie", cookie)


def _body(result: dict[str, Json]) -> bytes:
    body = result.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise _breach(f"body is no text but {body!r:.80}; write json.dumps(...) around it")
    if not result.get("isBase64Encoded"):
        return body.encode()
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _breach(f"body {body!r:.40} is no base64, but isBase64Encoded is true") from error


def _breach(what: str) -> AdapterError:
    return AdapterError(
        f"the Lambda handler's result is no response of an HTTP API (format 2.0): {what}"
    )
