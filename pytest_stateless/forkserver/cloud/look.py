"""What some of moto's services hold that no call of AWS tells without changing it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def _backends(name: str) -> Iterator[tuple[str, Any]]:
    """Yield the region and the state of each part of a service that has been used."""
    from moto.backends import get_backend  # noqa: PLC0415 (optional, and heavy)

    service: Any = get_backend(name)  # type: ignore[call-overload]
    for account in list(service.values()):
        yield from list(account.items())


def look_at_queues() -> dict[str, list[dict[str, Any]]]:
    """Return the messages of each SQS queue, in the order in which they were sent."""
    return {
        f"{region}:{name}": [
            {
                "body": message.body,
                "attributes": {
                    key: value.get("string_value") or value.get("StringValue") or ""
                    for key, value in sorted(message.message_attributes.items())
                },
            }
            for message in queue._messages  # noqa: SLF001 (a look by call would receive them)
        ]
        for region, backend in _backends("sqs")
        for name, queue in sorted(backend.queues.items())
    }


def look_at_topics() -> dict[str, list[dict[str, Any]]]:
    """Return what was published to each SNS topic, in order."""
    return {
        f"{region}:{topic.name}": [
            {"message": message, "subject": subject or ""}
            for _, message, subject, *_ in topic.sent_notifications
        ]
        for region, backend in _backends("sns")
        for _, topic in sorted(backend.topics.items())
    }


LOOKS: dict[str, Callable[[], object]] = {"sqs": look_at_queues, "sns": look_at_topics}
"""By service."""
