"""What S3, DynamoDB, SQS and SNS hold, asked of them by the calls that list and scan.

Messages are looked at in moto's own store: receiving them would change them.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from pytest_stateless.model.observed import Volatile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_stateless.model.observed import Observed
    from pytest_stateless.service.aws.service import Aws


def observe_s3(aws: Aws) -> Observed:
    """Return the objects of each bucket: hash, size, content type, metadata."""
    s3 = aws.client("s3")
    return {
        bucket["Name"]: {
            entry["Key"]: _object(s3, bucket["Name"], entry["Key"])
            for entry in _pages(s3, "list_objects_v2", "Contents", Bucket=bucket["Name"])
        }
        for bucket in s3.list_buckets()["Buckets"]
    }


def _object(s3: Any, bucket: str, key: str) -> Observed:  # noqa: ANN401 (boto3 has no types)
    found = s3.get_object(Bucket=bucket, Key=key)
    body: bytes = found["Body"].read()
    return {
        "sha256": _hash(body),
        "bytes": len(body),
        "content_type": found.get("ContentType", ""),
        "metadata": dict(sorted(found.get("Metadata", {}).items())),
        "modified": Volatile(found["LastModified"].isoformat()),
    }


def observe_dynamodb(aws: Aws) -> Observed:
    """Return the items of each table, by their keys."""
    dynamodb = aws.client("dynamodb")
    tables: dict[str, Observed] = {}
    for name in _pages(dynamodb, "list_tables", "TableNames"):
        schema = dynamodb.describe_table(TableName=name)["Table"]["KeySchema"]
        names = [key["AttributeName"] for key in schema]
        tables[name] = {
            ", ".join(f"{one}={_plain(item[one])}" for one in names): {
                attribute: _plain(value) for attribute, value in sorted(item.items())
            }
            for item in sorted(
                _pages(dynamodb, "scan", "Items", TableName=name, ConsistentRead=True),
                key=lambda item: [str(_plain(item[one])) for one in names],
            )
        }
    return tables


def _plain(value: dict[str, Any]) -> Observed:
    """Turn an attribute value into what JSON has; a number stays as it was written.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
    """  # noqa: DOC201 (the summary says it)
    ((kind, held),) = value.items()
    plain: Observed = held
    match kind:
        case "NULL":
            plain = None
        case "B":
            plain = _hash(held)
        case "M":
            plain = {name: _plain(one) for name, one in sorted(held.items())}
        case "L":
            plain = [_plain(one) for one in held]
        case "SS" | "NS":
            plain = sorted(held)
        case "BS":
            plain = sorted(_hash(one) for one in held)
        case _:  # a text, a number, a boolean
            pass
    return plain


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def observe_sqs(aws: Aws) -> Observed:
    """Return the messages of each queue in their order, also those that are being worked on."""
    return aws.look("sqs")


def observe_sns(aws: Aws) -> Observed:
    """Return what was published to each topic, in its order."""
    return aws.look("sns")


def _pages(client: Any, operation: str, key: str, **kwargs: Any) -> Iterator[Any]:  # noqa: ANN401
    for page in client.get_paginator(operation).paginate(**kwargs):
        yield from page.get(key, ())


OBSERVERS: dict[str, Callable[[Aws], Observed]] = {
    "dynamodb": observe_dynamodb,
    "s3": observe_s3,
    "sns": observe_sns,
    "sqs": observe_sqs,
}
"""By service."""
