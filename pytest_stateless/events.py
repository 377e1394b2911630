"""Events as AWS Lambda gets them, for `stateless.invoke` and for a handler that is called.

What differs from one event to the next (ids, the time) is drawn fresh unless it is given.

    from pytest_stateless import events

    stateless.invoke(events.sqs({"order": 1}, {"order": 2}, queue="orders"))

Source: the AWS Lambda Developer Guide, https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html,
https://docs.aws.amazon.com/lambda/latest/dg/with-s3.html and
https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway.html.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import quote_plus, urlencode

from pytest_stateless.errors import ConfigurationError
from pytest_stateless.model.api_gateway import (
    ACCOUNT,
    DOMAIN,
    REGION,
    SOURCE_ADDRESS,
    HttpCall,
    Route,
    event_v1,
    event_v2,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_stateless.model.api_gateway import Json, Pairs

__all__ = ["api_gateway_v1", "api_gateway_v2", "s3_put", "sqs"]

Event: TypeAlias = "dict[str, Json]"
Body: TypeAlias = "str | Mapping[str, object] | Sequence[object]"
"""Text, or a value that is sent as JSON."""
Attribute: TypeAlias = "str | int | float | bytes"
Query: TypeAlias = "str | Mapping[str, str | Sequence[str]]"
Headers: TypeAlias = "Mapping[str, str | Sequence[str]]"

_FIFO = ".fifo"
_FIRST_SEQUENCE_NUMBER = 18_849_496_460_467_696_128
_NO_BYTES_MD5 = "d41d8cd98f00b204e9800998ecf8427e"


def sqs(  # noqa: PLR0913 (what a message can have)
    *bodies: Body,
    queue: str = "queue",
    group: str = "",
    attributes: Mapping[str, str] | None = None,
    message_attributes: Mapping[str, Attribute] | None = None,
    ids: Sequence[str] = (),
    now_s: float | None = None,
    region: str = REGION,
) -> Event:
    """Build the event of a batch of SQS messages.

    Args:
        bodies: One for each message: text, or a value that is sent as JSON.
        queue: The queue's name; one that ends in `.fifo` is a FIFO queue's.
        group: The message group, of a FIFO queue alone.
        attributes: What the system attributes of each message shall be, beside or instead of the
            usual ones, such as `{"ApproximateReceiveCount": "2"}`.
        message_attributes: What the sender has added to each message: texts, numbers, bytes.
        ids: The messages' ids, one for each; drawn if not given.
        now_s: When they were sent, in seconds since the epoch; now if not given.
        region: The queue's region.

    Returns:
        The event.

    Raises:
        ConfigurationError: There is no body, a body is no text and no JSON, the number of ids
            is not that of the bodies, or group and queue do not go together.
    """
    if not bodies:
        raise ConfigurationError("events.sqs() needs a body; an SQS event has a message or more")
    if ids and len(ids) != len(bodies):
        raise ConfigurationError(
            f"events.sqs() has {len(bodies)} bodies and {len(ids)} ids; give one id for each body"
        )
    if queue.endswith(_FIFO) is not bool(group):
        raise ConfigurationError(
            f"events.sqs(queue={queue!r}, group={group!r}): messages of a FIFO queue have a group, "
            "others have none; the name of a FIFO queue ends in '.fifo'"
        )
    moment_ms = str(int((time.time() if now_s is None else now_s) * 1000))
    records: list[Json] = []
    for number, body in enumerate(bodies):
        text = _text_of(body)
        message_id = ids[number] if ids else str(uuid.uuid4())
        system: dict[str, Json] = {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": moment_ms,
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": moment_ms,
        }
        if group:
            system |= {
                "SequenceNumber": str(_FIRST_SEQUENCE_NUMBER + number * 256),
                "MessageGroupId": group,
                # what content-based deduplication draws from the body
                "MessageDeduplicationId": hashlib.sha256(text.encode()).hexdigest(),
            }
        records.append({
            "messageId": message_id,
            "receiptHandle": "AQEB" + base64.b64encode(message_id.encode()).decode(),
            "body": text,
            "attributes": system | dict(attributes or {}),
            "messageAttributes": {
                name: _message_attribute(name, value)
                for name, value in (message_attributes or {}).items()
            },
            "md5OfBody": _md5(text.encode()),
            "eventSource": "aws:sqs",
            "eventSourceARN": f"arn:aws:sqs:{region}:{ACCOUNT}:{queue}",
            "awsRegion": region,
        })
    return {"Records": records}


def s3_put(  # noqa: PLR0913 (what an object can have)
    bucket: str,
    key: str,
    *,
    size: int = 0,
    etag: str = _NO_BYTES_MD5,
    version_id: str = "",
    request_id: str = "",
    now_s: float | None = None,
    region: str = REGION,
) -> Event:
    """Build the event of an object that was put into an S3 bucket.

    Args:
        bucket: The bucket's name.
        key: The object's key as it is; in the event it is quoted as S3 does it, a space as `+`.
        size: The object's size in bytes.
        etag: The object's entity tag; that of no bytes if not given.
        version_id: The object's version, in a bucket that has versions.
        request_id: Of the request that put it; drawn if not given.
        now_s: When it was put, in seconds since the epoch; now if not given.
        region: The bucket's region.

    Returns:
        The event.
    """
    moment_s = time.time() if now_s is None else now_s
    moment = datetime.fromtimestamp(moment_s, UTC)
    request_id = request_id or uuid.uuid4().hex[:16].upper()
    stored: dict[str, Json] = {
        "key": quote_plus(key, safe="/"),
        "size": size,
        "eTag": etag,
        "sequencer": f"{int(moment_s * 1e9):018X}",
    }
    if version_id:
        stored["versionId"] = version_id
    record: Event = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": region,
        "eventTime": f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "AWS:AIDAINPONIXQXHT3IKHL2"},
        "requestParameters": {"sourceIPAddress": SOURCE_ADDRESS},
        "responseElements": {
            "x-amz-request-id": request_id,
            "x-amz-id-2": base64.b64encode(request_id.encode()).decode(),
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "stateless",
            "bucket": {
                "name": bucket,
                "ownerIdentity": {"principalId": "A3I5XTEXAMAI3E"},
                "arn": f"arn:aws:s3:::{bucket}",
            },
            "object": stored,
        },
    }
    return {"Records": [record]}


def api_gateway_v1(  # noqa: PLR0913 (what a request can have)
    method: str,
    path: str,
    *,
    query: Query = "",
    headers: Headers | None = None,
    body: Body | bytes = "",
    resource: str = "",
    path_parameters: Mapping[str, str] | None = None,
    stage: str = "prod",
    stage_variables: Mapping[str, str] | None = None,
    request_id: str = "",
    now_s: float | None = None,
) -> Event:
    """Build the event of a request to a REST API, format 1.0.

    Args:
        method: Such as `POST`.
        path: As the client sends it, percent-encoded, without the stage; it may have a query.
        query: Raw, or names with a value or several; comes after that of the path.
        headers: Names with a value or several.
        body: Text, bytes (sent in base64), or a value that is sent as JSON.
        resource: The resource that takes it, such as `/carts/{id}`; one that takes every path if
            not given.
        path_parameters: What the path has for the names in braces.
        stage: The deployed stage.
        stage_variables: Its variables.
        request_id: The gateway's name for the request; drawn if not given.
        now_s: When it came, in seconds since the epoch; now if not given.

    Returns:
        The event.

    Raises:
        ConfigurationError: The path does not begin with a slash, or the body is no JSON.
    """
    call = _call(
        method,
        path,
        query=query,
        headers=headers,
        body=body,
        request_id=request_id or str(uuid.uuid4()),
        now_s=now_s,
    )
    parameters = dict(path_parameters or {})
    if not resource:
        resource = "/" if call.path == "/" else "/{proxy+}"
        if call.path != "/":
            parameters.setdefault("proxy", call.path.removeprefix("/"))
    route = Route(
        name=resource, stage=stage, parameters=parameters, variables=dict(stage_variables or {})
    )
    return event_v1(call, route)


def api_gateway_v2(  # noqa: PLR0913 (what a request can have)
    method: str,
    path: str,
    *,
    query: Query = "",
    headers: Headers | None = None,
    cookies: Mapping[str, str] | None = None,
    body: Body | bytes = "",
    route: str = "$default",
    path_parameters: Mapping[str, str] | None = None,
    stage: str = "$default",
    stage_variables: Mapping[str, str] | None = None,
    request_id: str = "",
    now_s: float | None = None,
) -> Event:
    """Build the event of a request to an HTTP API, format 2.0.

    Args:
        method: Such as `POST`.
        path: As the client sends it, percent-encoded; it may have a query.
        query: Raw, or names with a value or several; comes after that of the path.
        headers: Names with a value or several.
        cookies: Names and values; a `Cookie` header comes before them.
        body: Text, bytes (sent in base64), or a value that is sent as JSON.
        route: The route that takes it, such as `GET /carts/{id}`.
        path_parameters: What the path has for the names in braces.
        stage: The deployed stage.
        stage_variables: Its variables.
        request_id: The gateway's name for the request; drawn if not given.
        now_s: When it came, in seconds since the epoch; now if not given.

    Returns:
        The event.

    Raises:
        ConfigurationError: The path does not begin with a slash, or the body is no JSON.
    """
    sent = dict(headers or {})
    if cookies:
        name = next((name for name in sent if name.lower() == "cookie"), "Cookie")
        given = _values(sent.get(name, ()))
        sent[name] = (*given, *(f"{cookie}={value}" for cookie, value in cookies.items()))
    call = _call(
        method,
        path,
        query=query,
        headers=sent,
        body=body,
        request_id=request_id or base64.b64encode(uuid.uuid4().bytes[:11]).decode(),
        now_s=now_s,
    )
    return event_v2(
        call,
        Route(
            name=route,
            stage=stage,
            parameters=dict(path_parameters or {}),
            variables=dict(stage_variables or {}),
        ),
    )


def _call(  # noqa: PLR0913 (as the functions that call it)
    method: str,
    path: str,
    *,
    query: Query,
    headers: Headers | None,
    body: Body | bytes,
    request_id: str,
    now_s: float | None,
) -> HttpCall:
    if not path.startswith("/"):
        raise ConfigurationError(f"path {path!r} does not begin with a slash; write '/{path}'")
    bare, _, own = path.partition("?")
    more = query if isinstance(query, str) else urlencode(query, doseq=True)
    pairs = [(name, value) for name, values in (headers or {}).items() for value in _values(values)]
    if not isinstance(body, (str, bytes)) and not any(
        n.lower() == "content-type" for n, _ in pairs
    ):
        pairs.append(("Content-Type", "application/json"))
    return HttpCall(
        method=method.upper(),
        path=bare,
        query="&".join(part for part in (own, more) if part),
        headers=_with_host(tuple(pairs)),
        body=body if isinstance(body, bytes) else _text_of(body),
        request_id=request_id,
        now_s=time.time() if now_s is None else now_s,
    )


def _with_host(pairs: Pairs) -> Pairs:
    if any(name.lower() == "host" for name, _ in pairs):
        return pairs
    return (*pairs, ("Host", DOMAIN))


def _values(values: str | Sequence[str]) -> tuple[str, ...]:
    return (values,) if isinstance(values, str) else tuple(values)


def _message_attribute(name: str, value: Attribute) -> Json:
    attribute: dict[str, Json] = {"stringListValues": [], "binaryListValues": []}
    if isinstance(value, bytes):
        binary = base64.b64encode(value).decode("ascii")
        return attribute | {"binaryValue": binary, "dataType": "Binary"}
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ConfigurationError(
            f"message attribute {name!r} is {value!r}; SQS takes texts, numbers and bytes"
        )
    kind = "String" if isinstance(value, str) else "Number"
    return attribute | {"stringValue": str(value), "dataType": kind}


def _text_of(body: object) -> str:
    if isinstance(body, str):
        return body
    try:
        return json.dumps(body)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"body {body!r:.80} is neither text nor a value that JSON has ({error})"
        ) from error


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
