from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_stateless import events
from pytest_stateless.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_stateless.model.api_gateway import Json

Shape = object
"""A type; a list with the shape of its items; the shapes of an object's values by their keys.

A key with a question mark may be missing.
"""

# Source: the AWS Lambda Developer Guide, "Using Lambda with Amazon SQS", the sample events of a
# standard and of a FIFO queue; message attributes as in events/testdata/sqs-event.json of
# github.com/aws/aws-lambda-go.
SQS_RECORD: Shape = {
    "messageId": str,
    "receiptHandle": str,
    "body": str,
    "attributes": {
        "ApproximateReceiveCount": str,
        "SentTimestamp": str,
        "SenderId": str,
        "ApproximateFirstReceiveTimestamp": str,
    },
    "messageAttributes": dict,
    "md5OfBody": str,
    "eventSource": str,
    "eventSourceARN": str,
    "awsRegion": str,
}
SQS_FIFO_ATTRIBUTES: Shape = {
    "ApproximateReceiveCount": str,
    "SentTimestamp": str,
    "SequenceNumber": str,
    "MessageGroupId": str,
    "SenderId": str,
    "MessageDeduplicationId": str,
    "ApproximateFirstReceiveTimestamp": str,
}
SQS_MESSAGE_ATTRIBUTE: Shape = {
    "stringValue?": str,
    "binaryValue?": str,
    "stringListValues": [str],
    "binaryListValues": [str],
    "dataType": str,
}

# Source: the AWS Lambda Developer Guide, "Process Amazon S3 event notifications with Lambda";
# `versionId` as in events/testdata/s3-event.json of github.com/aws/aws-lambda-go.
S3_RECORD: Shape = {
    "eventVersion": str,
    "eventSource": str,
    "awsRegion": str,
    "eventTime": str,
    "eventName": str,
    "userIdentity": {"principalId": str},
    "requestParameters": {"sourceIPAddress": str},
    "responseElements": {"x-amz-request-id": str, "x-amz-id-2": str},
    "s3": {
        "s3SchemaVersion": str,
        "configurationId": str,
        "bucket": {"name": str, "ownerIdentity": {"principalId": str}, "arn": str},
        "object": {"key": str, "size": int, "eTag": str, "sequencer": str, "versionId?": str},
    },
}

# Source: `sam local generate-event apigateway aws-proxy` (AwsProxy.json of
# github.com/aws/aws-sam-cli); domainName, domainPrefix and extendedRequestId as in
# "Lambda proxy integrations in API Gateway" of the API Gateway Developer Guide.
NULLABLE = (str, type(None))
REST_EVENT: Shape = {
    "resource": str,
    "path": str,
    "httpMethod": str,
    "headers": dict,
    "multiValueHeaders": dict,
    "queryStringParameters": (dict, type(None)),
    "multiValueQueryStringParameters": (dict, type(None)),
    "pathParameters": (dict, type(None)),
    "stageVariables": (dict, type(None)),
    "requestContext": {
        "accountId": str,
        "apiId": str,
        "domainName": str,
        "domainPrefix": str,
        "extendedRequestId": str,
        "httpMethod": str,
        "identity": {
            "accessKey": NULLABLE,
            "accountId": NULLABLE,
            "caller": NULLABLE,
            "cognitoAuthenticationProvider": NULLABLE,
            "cognitoAuthenticationType": NULLABLE,
            "cognitoIdentityId": NULLABLE,
            "cognitoIdentityPoolId": NULLABLE,
            "sourceIp": str,
            "user": NULLABLE,
            "userAgent": str,
            "userArn": NULLABLE,
        },
        "path": str,
        "protocol": str,
        "requestId": str,
        "requestTime": str,
        "requestTimeEpoch": int,
        "resourceId": str,
        "resourcePath": str,
        "stage": str,
    },
    "body": NULLABLE,
    "isBase64Encoded": bool,
}

# Source: "Create AWS Lambda proxy integrations for HTTP APIs in API Gateway" of the API Gateway
# Developer Guide, format 2.0; what may be missing as in
# events/testdata/apigw-v2-request-no-authorizer.json of github.com/aws/aws-lambda-go.
HTTP_EVENT: Shape = {
    "version": str,
    "routeKey": str,
    "rawPath": str,
    "rawQueryString": str,
    "cookies?": [str],
    "headers": dict,
    "queryStringParameters?": dict,
    "requestContext": {
        "accountId": str,
        "apiId": str,
        "domainName": str,
        "domainPrefix": str,
        "http": {
            "method": str,
            "path": str,
            "protocol": str,
            "sourceIp": str,
            "userAgent": str,
        },
        "requestId": str,
        "routeKey": str,
        "stage": str,
        "time": str,
        "timeEpoch": int,
    },
    "body?": str,
    "pathParameters?": dict,
    "isBase64Encoded": bool,
    "stageVariables?": dict,
}


def differences(value: object, shape: Shape, path: str = "event") -> list[str]:
    """Where a value has another shape."""
    match shape:
        case dict():
            if not isinstance(value, dict):
                return [f"{path} is no object"]
            optional = {key.removesuffix("?"): inner for key, inner in shape.items()}
            required = {key for key in shape if not key.endswith("?")}
            found = [f"{path}.{key} is missing" for key in sorted(required - {*value})]
            found += [f"{path}.{key} is new" for key in sorted({*value} - {*optional})]
            for key in sorted({*value} & {*optional}):
                found += differences(value[key], optional[key], f"{path}.{key}")
            return found
        case [item]:
            if not isinstance(value, list):
                return [f"{path} is no list"]
            return [
                d for i, one in enumerate(value) for d in differences(one, item, f"{path}[{i}]")
            ]
        case type() | tuple():
            is_so = type(value) in (shape if isinstance(shape, tuple) else (shape,))
            return [] if is_so else [f"{path} is {value!r}"]
        case _:
            raise AssertionError(shape)


def at(event: Json, *keys: str | int) -> Json:
    for key in keys:
        event = event[key]  # type: ignore[index]  # the test knows what is there
    return event


def test_the_comparison_of_shapes_sees_what_differs() -> None:
    shape: Shape = {"a": str, "b?": [int], "c": {"d": bool}}
    assert differences({"a": "x", "c": {"d": True}}, shape) == []
    assert differences({"a": 1, "b": ["x"], "c": {}, "e": 0}, shape) == [
        "event.e is new",
        "event.a is 1",
        "event.b[0] is 'x'",
        "event.c.d is missing",
    ]


def test_an_sqs_event_has_the_structure_of_the_published_sample() -> None:
    event = events.sqs("one", {"two": 2})
    assert differences(event, {"Records": [SQS_RECORD]}) == []


def test_an_sqs_event_of_a_fifo_queue_has_the_structure_of_the_published_sample() -> None:
    event = events.sqs("one", "two", queue="orders.fifo", group="ann")
    for number in (0, 1):
        attributes = at(event, "Records", number, "attributes")
        assert differences(attributes, SQS_FIFO_ATTRIBUTES) == []
    first, second = (
        at(event, "Records", number, "attributes", "SequenceNumber") for number in (0, 1)
    )
    assert str(first) < str(second)


def test_message_attributes_have_the_structure_of_the_published_sample() -> None:
    event = events.sqs("x", message_attributes={"text": "a", "number": 1.5, "bytes": b"\0"})
    attributes = at(event, "Records", 0, "messageAttributes")
    assert (
        differences(attributes, dict.fromkeys(("text", "number", "bytes"), SQS_MESSAGE_ATTRIBUTE))
        == []
    )
    assert at(attributes, "text", "dataType") == "String"
    assert at(attributes, "number", "stringValue") == "1.5"
    assert at(attributes, "number", "dataType") == "Number"
    assert at(attributes, "bytes", "binaryValue") == "AA=="
    assert at(attributes, "bytes", "dataType") == "Binary"


def test_the_body_of_a_message_is_text_or_json_with_its_checksum() -> None:
    event = events.sqs("tëxt", {"order": [1, None]}, [1])
    bodies = [at(event, "Records", number, "body") for number in range(3)]
    assert bodies == ["tëxt", '{"order": [1, null]}', "[1]"]
    checksum = hashlib.md5("tëxt".encode(), usedforsecurity=False).hexdigest()
    assert at(event, "Records", 0, "md5OfBody") == checksum


def test_ids_and_times_are_fresh_unless_they_are_given() -> None:
    one, other = events.sqs("x"), events.sqs("x")
    assert at(one, "Records", 0, "messageId") != at(other, "Records", 0, "messageId")
    given = [
        events.sqs("x", "y", ids=["1", "2"], now_s=1.5),
        events.s3_put("b", "k", request_id="R", now_s=1.5),
        events.api_gateway_v1("GET", "/", request_id="R", now_s=1.5),
        events.api_gateway_v2("GET", "/", request_id="R", now_s=1.5),
    ]
    again = [
        events.sqs("x", "y", ids=["1", "2"], now_s=1.5),
        events.s3_put("b", "k", request_id="R", now_s=1.5),
        events.api_gateway_v1("GET", "/", request_id="R", now_s=1.5),
        events.api_gateway_v2("GET", "/", request_id="R", now_s=1.5),
    ]
    assert given == again
    assert at(given[0], "Records", 1, "messageId") == "2"
    assert at(given[0], "Records", 0, "attributes", "SentTimestamp") == "1500"
    assert at(given[1], "Records", 0, "eventTime") == "1970-01-01T00:00:01.500Z"
    assert at(given[2], "requestContext", "requestTime") == "01/Jan/1970:00:00:01 +0000"
    assert at(given[3], "requestContext", "timeEpoch") == 1500


def test_attributes_that_are_given_replace_the_usual_ones() -> None:
    event = events.sqs("x", attributes={"ApproximateReceiveCount": "3", "AWSTraceHeader": "t"})
    attributes = at(event, "Records", 0, "attributes")
    assert at(attributes, "ApproximateReceiveCount") == "3"
    assert at(attributes, "AWSTraceHeader") == "t"
    assert at(attributes, "SenderId")


@pytest.mark.parametrize(
    ("arguments", "keywords", "said"),
    (
        ((), {}, "needs a body"),
        (("x",), {"ids": ["1", "2"]}, "1 bodies and 2 ids"),
        (("x",), {"queue": "a.fifo"}, "have a group"),
        (("x",), {"queue": "a", "group": "g"}, "ends in '.fifo'"),
        ((b"x",), {}, "body b'x' is neither text nor"),
        (({"a": object()},), {}, "is neither text nor"),
        (("x",), {"message_attributes": {"a": True}}, "message attribute 'a' is True"),
    ),
)
def test_what_sqs_does_not_have_is_refused_by_name(
    arguments: tuple[object, ...], keywords: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        events.sqs(*arguments, **keywords)  # type: ignore[arg-type]  # that is the test


def test_an_s3_event_has_the_structure_of_the_published_sample() -> None:
    event = events.s3_put("photos", "cat.png", size=3, etag="e")
    assert differences(event, {"Records": [S3_RECORD]}) == []
    versioned = events.s3_put("photos", "cat.png", version_id="v1")
    assert differences(versioned, {"Records": [S3_RECORD]}) == []
    assert at(versioned, "Records", 0, "s3", "object", "versionId") == "v1"


def test_the_key_of_an_s3_event_is_quoted_as_s3_does_it() -> None:
    event = events.s3_put("photos", "in/red flower+ü.jpg")
    assert at(event, "Records", 0, "s3", "object", "key") == "in/red+flower%2B%C3%BC.jpg"
    assert at(event, "Records", 0, "s3", "bucket", "arn") == "arn:aws:s3:::photos"


@pytest.mark.parametrize(
    "event",
    (
        events.api_gateway_v1("GET", "/"),
        events.api_gateway_v1(
            "POST",
            "/carts/1?a=1",
            headers={"Accept": ["a", "b"]},
            body={"sku": "tea"},
            resource="/carts/{id}",
            path_parameters={"id": "1"},
            stage_variables={"v": "1"},
        ),
    ),
)
def test_an_event_of_a_rest_api_has_the_structure_of_the_published_sample(
    event: events.Event,
) -> None:
    assert differences(event, REST_EVENT) == []


def test_a_rest_api_tells_names_with_several_values_in_both_ways() -> None:
    event = events.api_gateway_v1(
        "get", "/a?x=1&x=2", query={"y": ["3", "4"]}, headers={"Accept": ["a", "b"]}
    )
    assert event["httpMethod"] == "GET"
    assert event["path"] == "/a"
    assert event["queryStringParameters"] == {"x": "2", "y": "4"}
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"], "y": ["3", "4"]}
    assert at(event, "headers", "Accept") == "b"
    assert at(event, "multiValueHeaders", "Accept") == ["a", "b"]


def test_a_rest_api_has_a_resource_for_every_path_unless_one_is_named() -> None:
    event = events.api_gateway_v1("GET", "/carts/1")
    assert event["resource"] == "/{proxy+}"
    assert event["pathParameters"] == {"proxy": "carts/1"}
    assert at(event, "requestContext", "path") == "/prod/carts/1"
    assert at(event, "requestContext", "resourcePath") == "/{proxy+}"
    root = events.api_gateway_v1("GET", "/")
    assert root["resource"] == "/"
    assert root["pathParameters"] is None
    assert root["body"] is None


@pytest.mark.parametrize(
    "event",
    (
        events.api_gateway_v2("GET", "/"),
        events.api_gateway_v2(
            "POST",
            "/carts/1?a=1",
            headers={"Accept": ["a", "b"]},
            cookies={"session": "1"},
            body={"sku": "tea"},
            route="POST /carts/{id}",
            path_parameters={"id": "1"},
            stage_variables={"v": "1"},
        ),
    ),
)
def test_an_event_of_an_http_api_has_the_structure_of_the_published_sample(
    event: events.Event,
) -> None:
    assert differences(event, HTTP_EVENT) == []


def test_an_http_api_joins_several_values_and_keeps_cookies_apart() -> None:
    event = events.api_gateway_v2(
        "GET",
        "/a",
        query="x=1&x=2",
        headers={"Accept": ["a", "b"], "cookie": "one=1"},
        cookies={"two": "2", "three": "3"},
    )
    assert event["queryStringParameters"] == {"x": "1,2"}
    assert event["rawQueryString"] == "x=1&x=2"
    assert at(event, "headers", "accept") == "a,b"
    assert event["cookies"] == ["one=1", "two=2", "three=3"]


@pytest.mark.parametrize("build", (events.api_gateway_v1, events.api_gateway_v2))
def test_a_body_is_text_json_or_base64(build: Callable[..., events.Event]) -> None:
    text, value, raw = (build("POST", "/", body=body) for body in ("t", {"a": 1}, b"\xff"))
    assert (text["body"], text["isBase64Encoded"]) == ("t", False)
    assert json.loads(str(value["body"])) == {"a": 1}
    headers = value["headers"]
    assert isinstance(headers, dict)
    names = {name.lower(): text for name, text in headers.items()}
    assert names["content-type"] == "application/json"
    assert (raw["body"], raw["isBase64Encoded"]) == (base64.b64encode(b"\xff").decode(), True)


def test_a_path_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="write '/carts'"):
        events.api_gateway_v2("GET", "carts")


def test_the_plugin_does_not_import_events_by_itself() -> None:
    code = "import sys, pytest_stateless.plugin; print('pytest_stateless.events' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"
