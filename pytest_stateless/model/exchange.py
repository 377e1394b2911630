"""Exchanges: one request, what served it, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from pytest_stateless.model.finding import Finding
from pytest_stateless.model.observation import Observations


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecord:
    """A log record that an instance emitted.

    Attributes:
        name: Of the logger.
        level: Numeric level, as in `logging`.
        message: The formatted message.
        path: Absolute path of the source file that logged.
        line: 1-based line number.
        function: Name of the function that logged.
        exception: The formatted traceback, empty if there is none.
        created: Seconds since the epoch.
        extra: Other attributes of the record whose values are plain (text, numbers).
    """

    name: str
    level: int
    message: str
    path: str
    line: int
    function: str
    exception: str = ""
    created: float = 0.0
    extra: dict[str, str | int | float | bool | None] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One request and all that is known of its handling; complete once its body has been read.

    Attributes:
        number: 1-based, in the order of sending within a test.
        title: Method and target, such as `POST /entries`; the event's kind for an `invoke`.
        instance: Number of the instance that served it, 1-based within a test.
        is_cold: Whether the instance was started for this request.
        cold_start_s: Seconds from the request to the app being ready; 0 on a warm instance.
        handling_s: Seconds from handing the request over to the last byte of the response.
        status: Status code of the response; None for an event, a call, or no answer.
        findings: What was found in it, judged.
        log_records: What the instance logged, in order.
        exception: Traceback of an exception that the app raised, cut to the user's frames;
            empty if there was none.
        observations: What the instance saw, not yet judged.
        is_complete: Whether all of the response has arrived.
    """

    number: int
    title: str
    instance: int = 0
    is_cold: bool = False
    cold_start_s: float = 0.0
    handling_s: float = 0.0
    status: int | None = None
    findings: tuple[Finding, ...] = ()
    log_records: list[LogRecord] = field(default_factory=list)
    exception: str = ""
    observations: Observations = field(default_factory=Observations)
    is_complete: bool = False
