"""What an adapter is given and what it must do, for every calling convention."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_stateless.model.app_reference import AppKind
    from pytest_stateless.model.observation import Survivor
    from pytest_stateless.model.place import Frame
    from pytest_stateless.wire.messages import Invoke, Serve


class Sink(Protocol):
    """Where an adapter puts what the app answers."""

    @property
    def channel_fd(self) -> int | None:
        """A descriptor that becomes readable when the client disconnects; None if it cannot."""

    def is_disconnected(self) -> bool:
        """Tell, without waiting, whether the client is gone."""

    def start(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """Hand over status and headers (latin-1 text)."""

    def body(self, data: bytes) -> None:
        """Hand over a piece of the body."""

    def returned(self, blob: bytes) -> None:
        """Hand over the encoded result of an event or a function."""

    def raised(self, error: BaseException) -> None:
        """Report an exception of the app; `AdapterError` says that it broke its convention."""

    def complete(self) -> None:
        """Say that the last byte has been handed over: what the app does now is too late."""

    def stuck(self, stack: tuple[Frame, ...]) -> None:
        """Say what a request waits for, shortly before its time is over."""

    def survived(self, survivor: Survivor) -> None:
        """Report work that the adapter saw going on after the response."""


class Adapter(Protocol):
    """Speaks one calling convention with one app."""

    kind: AppKind

    def start(self) -> None:
        """Do what a server does before the first request (the ASGI lifespan start-up).

        Raises:
            Exception: Whatever the app raises.
        """

    def serve(self, request: Serve, chunks: tuple[bytes, ...], sink: Sink) -> None:
        """Answer one request; returns when the response is complete and the app has unwound.

        What the app raises goes to `sink.raised`, with the answer that a platform gives then.

        Args:
            request: Its head.
            chunks: Its body, in the pieces that the client sent.
            sink: Where the answer goes.
        """

    def invoke(self, event: Invoke, sink: Sink) -> None:
        """Handle one event.

        Args:
            event: The event.
            sink: Where the result goes.

        Raises:
            AdapterError: This kind of app takes no events.
        """
