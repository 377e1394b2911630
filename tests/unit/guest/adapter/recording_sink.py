"""A sink that remembers what it is given, and the requests to fill it with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_stateless.guest.adapter.load import LoadedApp
from pytest_stateless.guest.stack import StackReader
from pytest_stateless.model.first_party import FirstParty
from pytest_stateless.wire.messages import Invoke, Serve

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_stateless.model.app_reference import AppKind
    from pytest_stateless.model.observation import Survivor
    from pytest_stateless.model.place import Frame

STACK = StackReader(FirstParty(roots=(str(Path(__file__).resolve().parent),)))


class RecordingSink:
    """Remembers answers in the order of their arrival.

    Args:
        disconnects_after: Number of body pieces after which the client is gone.
        channel_fd: A descriptor that becomes readable when it goes.
    """

    def __init__(
        self, *, disconnects_after: int | None = None, channel_fd: int | None = None
    ) -> None:
        self.status: int | None = None
        self.headers: list[tuple[str, str]] = []
        self.pieces: list[bytes] = []
        self.errors: list[BaseException] = []
        self.survivors: list[Survivor] = []
        self.stuck_in: list[tuple[Frame, ...]] = []
        self.results: list[bytes] = []
        self.calls: list[str] = []
        self.is_gone = False
        self._disconnects_after = disconnects_after
        self._channel_fd = channel_fd

    @property
    def content(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def channel_fd(self) -> int | None:
        return self._channel_fd

    def is_disconnected(self) -> bool:
        limit = self._disconnects_after
        return self.is_gone or (limit is not None and len(self.pieces) >= limit)

    def start(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        self.calls.append("start")
        self.status, self.headers = status, list(headers)

    def body(self, data: bytes) -> None:
        self.calls.append("body")
        self.pieces.append(data)

    def returned(self, blob: bytes) -> None:
        self.calls.append("returned")
        self.results.append(blob)

    def raised(self, error: BaseException) -> None:
        self.calls.append("raised")
        self.errors.append(error)

    def complete(self) -> None:
        self.calls.append("complete")

    def stuck(self, stack: tuple[Frame, ...]) -> None:
        self.stuck_in.append(stack)

    def survived(self, survivor: Survivor) -> None:
        self.calls.append("survived")
        self.survivors.append(survivor)


def loaded(app: object, kind: AppKind) -> LoadedApp:
    return LoadedApp(app=app, kind=kind, place=None, reference="shop:app")


def make_request(
    path: str = "/",
    method: str = "GET",
    *,
    query: str = "",
    headers: tuple[tuple[str, str], ...] = (("Host", "testserver"),),
) -> Serve:
    return Serve(
        number=1,
        request_id="6f1e3c1a-0000-4000-8000-000000000000",
        method=method,
        scheme="http",
        host="testserver",
        port=80,
        raw_path=path,
        query=query,
        headers=headers,
        timeout_s=30.0,
    )


def make_invoke(blob: bytes, context: str = "") -> Invoke:
    return Invoke(
        number=1,
        request_id="6f1e3c1a-0000-4000-8000-000000000000",
        blob=blob,
        context=context,
        timeout_s=3.0,
    )
