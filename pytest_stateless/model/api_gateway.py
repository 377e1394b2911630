"""What API Gateway makes of an HTTP request: the event that a Lambda function gets.

An HTTP API sends payload format 2.0, a REST API format 1.0.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
(format 2.0) and
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
(the event of a REST API; of a name with several values the single-valued fields have the last).
"""

from __future__ import annotations

import base64
import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Iterable

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Pairs: TypeAlias = "tuple[tuple[str, str], ...]"

ACCOUNT = "123456789012"
REGION = "us-east-1"
API = "api-id"
SOURCE_ADDRESS = "127.0.0.1"
DOMAIN = f"{API}.execute-api.{REGION}.amazonaws.com"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NO_IDENTITY = (
    "accessKey", "accountId", "caller", "cognitoAuthenticationProvider",
    "cognitoAuthenticationType", "cognitoIdentityId", "cognitoIdentityPoolId", "user", "userArn",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCall:
    """An HTTP request, as it reaches an API.

    Attributes:
        method: Upper case.
        path: As sent, without the query.
        query: Raw query string, without `?`.
        headers: Names and values, a name as often as it has values.
        body: Text goes on as it is, bytes in base64; empty if there is none.
        scheme: `http` or `https`.
        port: That the client called.
        request_id: The gateway's name for the request.
        now_s: When it came, in seconds since the epoch.
    """

    method: str
    path: str
    query: str = ""
    headers: Pairs = ()
    body: str | bytes = ""
    scheme: str = "https"
    port: int = 443
    request_id: str
    now_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where an API has sent a request.

    Attributes:
        name: `$default` or `GET /carts/{id}` of an HTTP API, `/carts/{id}` of a REST API.
        stage: The deployed stage.
        parameters: What the path has for the names in braces.
        variables: The stage's variables.
    """

    name: str = "$default"
    stage: str = "$default"
    parameters: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)


_DEFAULT = Route()


def event_v2(call: HttpCall, route: Route = _DEFAULT) -> dict[str, Json]:
    """Turn an HTTP request into an event of format 2.0.

    Args:
        call: The request.
        route: Where it was sent.

    Returns:
        The event, ready for `json.dumps`; what the gateway leaves out is not there.
    """
    headers = _joined((name.lower(), value) for name, value in call.headers)
    cookies = [part for part in headers.pop("cookie", "").split("; ") if part]
    for name, value in _forwarded(call):
        headers.setdefault(name.lower(), value)
    event: dict[str, Json] = {
        "version": "2.0",
        "routeKey": route.name,
        "rawPath": call.path,
        "rawQueryString": call.query,
        "headers": dict(headers),
        "requestContext": _context_v2(call, route, headers),
        "isBase64Encoded": isinstance(call.body, bytes) and bool(call.body),
    }
    parameters = _joined(parse_qsl(call.query, keep_blank_values=True))
    if cookies:
        event["cookies"] = list(cookies)
    if parameters:
        event["queryStringParameters"] = dict(parameters)
    if route.parameters:
        event["pathParameters"] = dict(route.parameters)
    if route.variables:
        event["stageVariables"] = dict(route.variables)
    if call.body:
        event["body"] = _text_of(call.body)
    return event


def event_v1(call: HttpCall, route: Route) -> dict[str, Json]:
    """Turn an HTTP request into an event of format 1.0.

    Args:
        call: The request.
        route: Where it was sent.

    Returns:
        The event, ready for `json.dumps`; what is not there is None.
    """
    sent = {name.lower() for name, _ in call.headers}
    added = (pair for pair in _forwarded(call) if pair[0].lower() not in sent)
    headers = _grouped((*call.headers, *added))
    parameters = _grouped(parse_qsl(call.query, keep_blank_values=True))
    return {
        "resource": route.name,
        "path": call.path,
        "httpMethod": call.method,
        "headers": _last(headers),
        "multiValueHeaders": _several(headers),
        "queryStringParameters": _last(parameters) or None,
        "multiValueQueryStringParameters": _several(parameters) or None,
        "pathParameters": dict(route.parameters) or None,
        "stageVariables": dict(route.variables) or None,
        "requestContext": _context_v1(call, route),
        "body": _text_of(call.body) if call.body else None,
        "isBase64Encoded": isinstance(call.body, bytes) and bool(call.body),
    }


def _context_v2(call: HttpCall, route: Route, headers: dict[str, str]) -> dict[str, Json]:
    domain = headers.get("host", DOMAIN).partition(":")[0]
    return {
        "accountId": ACCOUNT,
        "apiId": API,
        "domainName": domain,
        "domainPrefix": domain.partition(".")[0],
        "http": {
            "method": call.method,
            "path": call.path,
            "protocol": "HTTP/1.1",
            "sourceIp": SOURCE_ADDRESS,
            "userAgent": headers.get("user-agent", ""),
        },
        "requestId": call.request_id,
        "routeKey": route.name,
        "stage": route.stage,
        "time": _time_of(call),
        "timeEpoch": int(call.now_s * 1000),
    }


def _context_v1(call: HttpCall, route: Route) -> dict[str, Json]:
    headers = {name.lower(): value for name, value in call.headers}
    domain = headers.get("host", DOMAIN).partition(":")[0]
    identity: dict[str, Json] = dict.fromkeys(_NO_IDENTITY)
    identity |= {"sourceIp": SOURCE_ADDRESS, "userAgent": headers.get("user-agent", "")}
    return {
        "accountId": ACCOUNT,
        "apiId": API,
        "domainName": domain,
        "domainPrefix": domain.partition(".")[0],
        "extendedRequestId": call.request_id,
        "httpMethod": call.method,
        "identity": identity,
        "path": f"/{route.stage}{call.path}",
        "protocol": "HTTP/1.1",
        "requestId": call.request_id,
        "requestTime": _time_of(call),
        "requestTimeEpoch": int(call.now_s * 1000),
        "resourceId": "123456",
        "resourcePath": route.name,
        "stage": route.stage,
    }


def _forwarded(call: HttpCall) -> Pairs:
    return (
        ("X-Forwarded-For", SOURCE_ADDRESS),
        ("X-Forwarded-Port", str(call.port)),
        ("X-Forwarded-Proto", call.scheme),
    )


def _time_of(call: HttpCall) -> str:
    moment = dt.datetime.fromtimestamp(call.now_s, dt.UTC)
    month = _MONTHS[moment.month - 1]  # strftime's %b follows the locale
    return f"{moment:%d}/{month}/{moment:%Y:%H:%M:%S} +0000"


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Combine what occurs more than once with commas; cookies with their own separator."""
    return {
        name: ("; " if name == "cookie" else ",").join(values)
        for name, values in _grouped(pairs).items()
    }


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        grouped.setdefault(name, []).append(value)
    return grouped


def _last(grouped: dict[str, list[str]]) -> dict[str, Json]:
    return {name: values[-1] for name, values in grouped.items()}


def _several(grouped: dict[str, list[str]]) -> dict[str, Json]:
    return {name: list(values) for name, values in grouped.items()}


def _text_of(body: str | bytes) -> str:
    return base64.b64encode(body).decode("ascii") if isinstance(body, bytes) else body
