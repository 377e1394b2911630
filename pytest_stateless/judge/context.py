"""What a judgement knows about an exchange beside what the instance saw."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_stateless.judge.places import Places
from pytest_stateless.model.platform import PlatformProfile

_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeContext:
    """One exchange as a judgement needs it.

    Attributes:
        title: Method and target, such as `POST /entries`; the event's kind for an `invoke`.
        number: 1-based number of the request within its test.
        instance: 1-based number of the instance that served it within its test; 0 if none did.
        platform: The profile, with what a marker has changed in it already applied.
        places: How paths are shown.
        reads: Absolute paths of data files that any exchange of this test has read so far.
        status: Status code of the response; None for an event, a call, or no answer.
        error: The last line of an exception that the app raised; empty if it raised none.
        has_started: Whether the app became ready; False if its cold start failed.
        isolation: What sealed the instance; empty if nothing did.
    """

    title: str
    number: int
    instance: int
    platform: PlatformProfile
    places: Places
    reads: frozenset[str] = frozenset()
    status: int | None = None
    error: str = ""
    has_started: bool = True
    isolation: str = ""

    @property
    def request(self) -> str:
        """The request as reports name it, such as `POST /entries (request 1, instance 1)`."""
        if not self.instance:
            return f"{self.title} (request {self.number})"
        return f"{self.title} (request {self.number}, instance {self.instance})"

    @property
    def is_failure(self) -> bool:
        """Whether the app did not start, raised, or answered with a server error."""
        is_server_error = self.status is not None and self.status >= _SERVER_ERROR
        return is_server_error or bool(self.error) or not self.has_started

    @property
    def answer(self) -> str:
        """What came of the request, as a line of evidence."""
        if not self.has_started:
            return "the app could not start"
        if self.status is not None and not self.is_failure:
            return f"and the app answered {self.status} all the same"
        if self.status is not None:
            is_late = self.status < _SERVER_ERROR and self.error
            return f"answered {self.status}" + (f", then raised {self.error}" if is_late else "")
        return f"raised {self.error}" if self.error else "and the app went on all the same"
