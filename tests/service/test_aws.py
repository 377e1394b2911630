"""AWS as a service: a real moto in processes of its own."""

from __future__ import annotations

import http.client
import io
import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError

from pytest_stateless.errors import ServiceError
from pytest_stateless.guest import aws as aws_calls
from pytest_stateless.guest.aws import lead
from pytest_stateless.model.observed import Volatile, compare
from pytest_stateless.service.aws.service import Aws
from pytest_stateless.wire.cloud import AwsRoute

if TYPE_CHECKING:
    from collections.abc import Iterator


MARK = "STATELESS_TEST_CLOUD"


@pytest.fixture(scope="module")
def started(mark: None) -> Iterator[Aws]:  # noqa: ARG001 (it is inherited)
    aws = Aws()
    yield aws
    aws.close()


@pytest.fixture
def aws(started: Aws) -> Aws:
    started.restore(started.empty)
    return started


@pytest.fixture(autouse=True, scope="module")
def mark() -> Iterator[None]:
    """Mark this process's clouds: other suites may run beside this one."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv(MARK, str(os.getpid()))
        yield


def processes() -> set[int]:
    """The processes of this process's clouds."""
    mark = f"{MARK}={os.getpid()}\0".encode()
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            is_ours = mark in (folder / "environ").read_bytes()
        except OSError:
            continue
        if is_ours:
            found.add(int(folder.name))
    return found


def fill(aws: Aws, count: int = 1) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="photos")
    for number in range(count):
        s3.put_object(Bucket="photos", Key=f"cat-{number}.png", Body=b"meow")


def names(aws: Aws) -> list[str]:
    s3 = aws.client("s3")
    return [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]


# state


def test_it_begins_with_nothing(aws: Aws) -> None:
    observed: Any = aws.observe()
    assert {"dynamodb", "s3", "sns", "sqs"} <= observed.keys()
    assert not any(observed.values())
    assert names(aws) == []


def test_a_state_comes_back_as_often_as_it_is_asked_for(aws: Aws) -> None:
    fill(aws, 3)
    before = aws.observe()
    state = aws.snapshot()
    for _ in range(2):
        aws.client("s3").put_object(Bucket="photos", Key="dog.png", Body=b"woof")
        aws.client("s3").delete_object(Bucket="photos", Key="cat-0.png")
        assert list(compare(before, aws.observe())) != []
        aws.restore(state)
        assert list(compare(before, aws.observe())) == []


def test_a_snapshot_changes_nothing_and_is_changed_by_nothing(aws: Aws) -> None:
    fill(aws)
    one = aws.snapshot()
    assert names(aws) == ["photos"]
    aws.client("s3").create_bucket(Bucket="sounds")
    two = aws.snapshot()
    aws.restore(one)
    assert names(aws) == ["photos"]
    aws.restore(two)
    assert names(aws) == ["photos", "sounds"]
    aws.restore(aws.empty)
    assert names(aws) == []


def test_objects_too_large_to_be_kept_in_memory_by_moto_are_put_back_too(aws: Aws) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="photos")
    s3.put_object(Bucket="photos", Key="large", Body=b"a" * (17 << 20))
    state = aws.snapshot()
    s3.put_object(Bucket="photos", Key="large", Body=b"b" * (18 << 20))
    aws.restore(state)
    assert s3.get_object(Bucket="photos", Key="large")["Body"].read() == b"a" * (17 << 20)


def test_a_client_that_was_made_before_goes_on(aws: Aws) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="photos")
    state = aws.snapshot()
    s3.create_bucket(Bucket="sounds")
    aws.restore(state)
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["photos"]


def test_calls_are_counted_since_it_was_put_back(aws: Aws) -> None:
    assert aws.count() == 0
    names(aws)
    names(aws)
    assert aws.count() == 2
    aws.restore(aws.empty)
    assert aws.count() == 0


def test_a_snapshot_waits_for_a_call_that_is_being_answered(aws: Aws) -> None:
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    received: list[Any] = []
    call = threading.Thread(
        target=lambda: received.append(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2))
    )
    call.start()
    while aws.count() < 2:
        time.sleep(0.01)
    state = aws.snapshot()
    call.join()
    assert received[0].get("Messages") is None
    aws.restore(state)
    assert sqs.get_queue_url(QueueName="orders")["QueueUrl"] == url


def test_a_state_that_is_let_go_of_leaves_no_process(aws: Aws) -> None:
    before = processes()
    fill(aws)
    state = aws.snapshot()
    assert len(processes()) == len(before) + 1
    aws.restore(aws.empty)
    aws.forget(state)
    aws.forget(state)
    assert len(processes()) == len(before)
    aws.forget(aws.empty)
    aws.restore(aws.empty)
    assert names(aws) == []


# what it holds


def test_objects_are_observed_with_all_that_matters(aws: Aws) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="photos")
    s3.put_object(
        Bucket="photos",
        Key="cats/tom.png",
        Body=b"meow",
        ContentType="image/png",
        Metadata={"taken-by": "ann"},
    )
    observed: Any = aws.observe()
    assert observed["s3"] == {
        "photos": {
            "cats/tom.png": {
                "sha256": "404cdd7bc109c432f8cc2443b45bcfe95980f5107215c645236e577929ac3e52",
                "bytes": 4,
                "content_type": "image/png",
                "metadata": {"taken-by": "ann"},
                "modified": Volatile("any time"),
            }
        }
    }


def test_items_are_observed_by_their_keys_whatever_their_order(aws: Aws) -> None:
    dynamodb = aws.resource("dynamodb")
    table = dynamodb.create_table(
        TableName="orders",
        KeySchema=[
            {"AttributeName": "customer", "KeyType": "HASH"},
            {"AttributeName": "number", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "customer", "AttributeType": "S"},
            {"AttributeName": "number", "AttributeType": "N"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    rows: list[dict[str, Any]] = [
        {"customer": "bob", "number": 1, "tags": {"b", "a"}, "paid": False},
        {"customer": "ann", "number": 2, "lines": [{"sku": "tea", "count": 2}], "note": None},
        {"customer": "ann", "number": 1, "photo": b"meow"},
    ]
    for row in rows:
        table.put_item(Item=row)
    observed: Any = aws.observe()
    orders = observed["dynamodb"]["orders"]
    assert list(orders) == [
        "customer=ann, number=1",
        "customer=ann, number=2",
        "customer=bob, number=1",
    ]
    assert orders["customer=ann, number=2"]["lines"] == [{"count": "2", "sku": "tea"}]
    assert orders["customer=ann, number=2"]["note"] is None
    assert orders["customer=bob, number=1"]["tags"] == ["a", "b"]
    assert orders["customer=bob, number=1"]["paid"] is False
    assert len(orders["customer=ann, number=1"]["photo"]) == 64


def test_messages_are_observed_and_stay_where_they_are(aws: Aws) -> None:
    sqs, sns = aws.client("sqs"), aws.client("sns")
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    topic = sns.create_topic(Name="news")["TopicArn"]
    attributes = {"kind": {"StringValue": "order", "DataType": "String"}}
    sqs.send_message(QueueUrl=url, MessageBody="one", MessageAttributes=attributes)
    sqs.send_message(QueueUrl=url, MessageBody="two")
    sns.publish(TopicArn=topic, Message="sold", Subject="tea")
    for _ in range(2):
        observed: Any = aws.observe()
        assert observed["sqs"] == {
            "us-east-1:orders": [
                {"body": "one", "attributes": {"kind": "order"}},
                {"body": "two", "attributes": {}},
            ]
        }
        assert observed["sns"] == {"us-east-1:news": [{"message": "sold", "subject": "tea"}]}
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert [message["Body"] for message in received] == ["one", "two"]


def test_a_user_adds_what_else_is_to_be_observed(aws: Aws) -> None:
    def parameters(aws: Aws) -> dict[str, str]:
        ssm = aws.client("ssm")
        return {
            one["Name"]: ssm.get_parameter(Name=one["Name"])["Parameter"]["Value"]
            for one in ssm.describe_parameters()["Parameters"]
        }

    aws.observe_with("parameters", parameters)
    aws.client("ssm").put_parameter(Name="price", Value="7", Type="String")
    observed: Any = aws.observe()
    assert observed["parameters"] == {"price": "7"}
    assert {"s3", "sqs"} < observed.keys()


# how it is found


def test_libraries_find_it_by_the_environment(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in aws.environment().items():
        monkeypatch.setenv(name, value)
    boto3.Session().client("s3").create_bucket(Bucket="photos")
    assert names(aws) == ["photos"]


def test_a_region_that_is_set_is_kept(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    assert aws.environment()["AWS_DEFAULT_REGION"] == "eu-central-1"


def test_it_speaks_http_to_whoever_asks(aws: Aws) -> None:
    fill(aws)
    host, port = urlsplit(aws.endpoint_url).netloc.split(":")
    connection = http.client.HTTPConnection(host, int(port))
    connection.request("GET", "/photos/cat-0.png")
    assert connection.getresponse().status == 403  # it is not public
    connection.close()


def test_bodies_of_every_make_arrive(aws: Aws, tmp_path: Path) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="photos")
    path = tmp_path / "large"
    path.write_bytes(b"x" * (9 << 20))
    s3.upload_file(str(path), "photos", "large")  # in parts
    s3.upload_fileobj(io.BytesIO(b"streamed"), "photos", "streamed")
    s3.put_object(Bucket="photos", Key="text", Body="text")
    sizes = {
        key: s3.head_object(Bucket="photos", Key=key)["ContentLength"]
        for key in ("large", "streamed", "text")
    }
    assert sizes == {"large": 9 << 20, "streamed": 8, "text": 4}


def test_an_instances_calls_arrive_whole_without_http(aws: Aws, tmp_path: Path) -> None:
    aws.client("s3").create_bucket(Bucket="photos")
    path = tmp_path / "large"
    path.write_bytes(b"x" * (9 << 20))
    nowhere = "http://127.0.0.1:9"
    lead(AwsRoute(port=aws.route.port, endpoint=nowhere))
    try:
        session = boto3.Session("key", "secret", region_name="us-east-1")
        s3 = session.client("s3", endpoint_url=nowhere)
        s3.upload_file(str(path), "photos", "large")  # in parts
        s3.upload_fileobj(io.BytesIO(b"streamed"), "photos", "streamed")
        s3.put_object(Bucket="photos", Key="a b/\u00e9", Body="text", Metadata={"by_whom": "ann"})
        assert s3.head_object(Bucket="photos", Key="a b/\u00e9")["Metadata"] == {"by_whom": "ann"}
        assert s3.get_object(Bucket="photos", Key="streamed")["Body"].read(3) == b"str"
        with pytest.raises(ClientError, match="NoSuchKey"):
            s3.get_object(Bucket="photos", Key="none")
    finally:
        lead(None)
        aws_calls._WAY._connections.known = None
    observed: Any = aws.observe()
    sizes = {key: held["bytes"] for key, held in observed["s3"]["photos"].items()}
    assert sizes == {"a b/\u00e9": 4, "large": 9 << 20, "streamed": 8}


@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    (
        ("ssm", "describe_patch_groups", {}),
        ("sns", "get_data_protection_policy", {"ResourceArn": "arn:aws:sns:us-east-1:1:a"}),
    ),
)
def test_what_moto_cannot_do_is_said_in_its_own_words(
    aws: Aws, service: str, operation: str, arguments: dict[str, str]
) -> None:
    with pytest.raises(ClientError, match=r"moto: The \w+ action has not been implemented"):
        getattr(aws.client(service), operation)(**arguments)


# faults, and its end


def test_one_that_dies_is_an_error_at_once_and_calls_are_refused() -> None:
    aws = Aws()
    try:
        aws.count()
        os.kill(aws._cloud.worker_pid, signal.SIGKILL)
        with pytest.raises(ServiceError, match=r"AWS \(moto\): .*its process has ended"):
            aws.count()
        with pytest.raises(ServiceError, match=r"AWS \(moto\) cannot be observed"):
            aws.observe()
        with pytest.raises(ServiceError, match="its state could not be kept"):
            aws.snapshot()
    finally:
        aws.close()


def test_one_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "moto").mkdir()
    (tmp_path / "moto" / "__init__.py").write_text("raise ImportError('No module named rsa')")
    monkeypatch.syspath_prepend(str(tmp_path))
    aws = Aws()
    try:
        with pytest.raises(ServiceError, match=r"No module named rsa; install pytest-stateless\["):
            aws.count()
    finally:
        aws.close()


def test_nothing_is_left_of_it() -> None:
    before = processes()
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    aws = Aws()
    fill(aws)
    aws.restore(aws.snapshot())
    assert len(processes()) == len(before) + 3
    aws.close()
    aws.close()
    assert processes() == before
    # the client's own
    assert len(list(Path("/proc/self/fd").iterdir())) <= descriptors + 1
    assert json.dumps(aws.environment())
