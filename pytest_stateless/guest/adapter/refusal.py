"""What an app of one convention answers where it is asked wrongly, or has failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from pytest_stateless.errors import AdapterError

if TYPE_CHECKING:
    from pytest_stateless.guest.adapter.contract import Sink
    from pytest_stateless.model.app_reference import AppKind

_MESSAGE = b"Internal Server Error"


def plain_server_error(method: str, sink: Sink) -> None:
    """Answer as servers answer for an app that failed.

    Args:
        method: Of the request; a HEAD has no body.
        sink: Where the answer goes.
    """
    headers = [
        ("content-type", "text/plain; charset=utf-8"),
        ("content-length", str(len(_MESSAGE))),
    ]
    sink.start(500, headers)
    if method != "HEAD":
        sink.body(_MESSAGE)


def refuse_event(kind: AppKind, reference: str) -> NoReturn:
    """Refuse an event on behalf of an app that answers requests only.

    Args:
        kind: Of the app.
        reference: As the user wrote it.

    Raises:
        AdapterError: Always.
    """
    raise AdapterError(
        f"app {reference!r} is {kind.upper()} and takes no events; send it a request "
        "(stateless.get, .post, ...), or name a Lambda handler in stateless_app "
        f"(write 'lambda:{reference}' if it is one)"
    )
