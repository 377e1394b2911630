"""Calls that instances make by messages: taking them, and wording what moto raises over one."""

from __future__ import annotations

import json
import socket
import threading
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from pytest_stateless.guest.channel import Channel
from pytest_stateless.wire.cloud import AwsCall

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_stateless.wire.cloud import AwsAnswer

    Answer = Callable[[AwsCall], AwsAnswer]

NOT_IMPLEMENTED = 501
"""The status of what moto raises: one that no client tries again."""


def take_calls(listener: socket.socket, answer: Answer) -> None:
    """Answer calls from now on, in threads, until the listener is closed.

    Args:
        listener: A listening socket.
        answer: Called with each call; what it returns is sent back.
    """
    threading.Thread(target=_accept, args=(listener, answer), daemon=True).start()


def _accept(listener: socket.socket, answer: Answer) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return  # it was closed
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_answer_all, args=(connection, answer), daemon=True).start()


def _answer_all(connection: socket.socket, answer: Answer) -> None:
    channel = Channel(connection)
    try:
        while isinstance(call := channel.receive(), AwsCall):
            channel.send(answer(call))
    except OSError:
        return  # the instance is gone
    finally:
        channel.close()


def word_failure(error: Exception, *, content_type: str, is_targeted: bool) -> tuple[str, bytes]:
    """Word an exception of moto's as the service would word an error, so that clients show it.

    Args:
        error: What moto raised, such as for what it does not implement.
        content_type: Of the request.
        is_targeted: Whether the request has the header `X-Amz-Target`.

    Returns:
        Content type and body; the status is `NOT_IMPLEMENTED`.
    """
    code, message = "InternalFailure", f"moto: {error!r}"
    if isinstance(error, NotImplementedError):
        code, message = "NotImplemented", f"moto: {error}"
    if "json" in content_type or is_targeted:
        text = json.dumps({"__type": code, "message": message})
        return "application/x-amz-json-1.0", text.encode()
    inner = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    if "x-www-form-urlencoded" in content_type:
        inner = f"<ErrorResponse>{inner}</ErrorResponse>"
    return "application/xml", inner.encode()
