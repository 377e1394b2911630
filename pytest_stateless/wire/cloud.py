"""Messages of the process that is AWS for a session, and of the calls that instances make to it.

host → keeper, holder    ForkWorker, with the socket of the new process
host → worker            TakeSnapshot, likewise; CountCalls; Look
worker → host            Serving; Counted; Looked; CloudFailed
holder → host            Holding
instance → worker        AwsCall, answered by AwsAnswer
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkWorker:
    """Fork a process that serves from the state that this one holds; it answers `Serving`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeSnapshot:
    """Fork a process that holds the state as it is now; it answers `Holding`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountCalls:
    """Answer `Counted`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Answer `Looked`.

    Attributes:
        name: Of a service whose state no call tells without changing it.
    """

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What a service holds.

    Attributes:
        blob: As JSON.
    """

    blob: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """A worker accepts calls.

    Attributes:
        pid: Its process id.
    """

    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A copy of a worker has its state.

    Attributes:
        pid: Its process id.
    """

    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How much a worker has been used.

    Attributes:
        calls: Calls that it has answered.
    """

    calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudFailed:
    """Something that was ordered could not be done.

    Attributes:
        text: Why.
    """

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsRoute:
    """Where an instance's AWS calls are answered.

    Attributes:
        port: On 127.0.0.1, by messages.
        endpoint: What the URLs of calls begin with that go there; empty for all.
    """

    port: int
    endpoint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsCall:
    """An HTTP request to AWS, signed.

    Attributes:
        method: Upper case.
        url: The whole URL.
        headers: Names and values, latin-1.
        blob: The body.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    blob: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsAnswer:
    """The response to an `AwsCall`.

    Attributes:
        status: Status code; 0 if the call is not for whom it was sent to.
        headers: Names and values, latin-1.
        blob: The body.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    blob: bytes
