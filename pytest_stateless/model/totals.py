"""What a session counts for its summary; workers of pytest-xdist send it to the controller."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from pytest_stateless.model.isolation import IsolationName
from pytest_stateless.model.rule import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_stateless.model.finding import Finding

Plain = dict[str, object]
"""What JSON, and so pytest-xdist, carries."""


@dataclass(slots=True, kw_only=True)
class FindingTotal:
    """The findings of one rule at one place.

    Attributes:
        rule: The code of the rule.
        place: `path:line`, or an empty string.
        message: Of the first of them.
        severity: The highest of them.
        tests: Node ids of the tests that showed it, the first first.
    """

    rule: str
    place: str
    message: str
    severity: Severity
    tests: list[str] = field(default_factory=list)

    def to_plain(self) -> Plain:
        """Return the same as plain values."""
        return {
            "rule": self.rule,
            "place": self.place,
            "message": self.message,
            "severity": self.severity.value,
            "tests": list(self.tests),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class UnenforcedTotal:
    """Something that an isolation lets through at one place.

    Attributes:
        isolation: Its name.
        gap: The name of the gap.
        place: `path:line`.
        operation: As a call that a reader knows.
    """

    isolation: IsolationName
    gap: str
    place: str
    operation: str


@dataclass(slots=True, kw_only=True)
class SessionTotals:
    """What a session counts.

    Attributes:
        requests: Requests, events and calls that were sent.
        instances: Fresh instances that were started for them.
        cold_starts_s: Seconds of each cold start.
        handlings_s: Seconds of handling of each request.
        findings: What was found and not accepted, by rule and place.
        accepted: How many findings the user accepts, counted once a test.
        not_enforced: Why nothing was enforced; empty if everything was.
        dropped: Module name and reason, for modules that could not be imported ahead.
        notes: What else must be known of how requests were served, a line each.
        unenforced: What the isolation has let through, once for each place.
    """

    requests: int = 0
    instances: int = 0
    cold_starts_s: list[float] = field(default_factory=list)
    handlings_s: list[float] = field(default_factory=list)
    findings: list[FindingTotal] = field(default_factory=list)
    accepted: int = 0
    not_enforced: str = ""
    dropped: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unenforced: list[UnenforcedTotal] = field(default_factory=list)

    def add_findings(self, test: str, findings: Iterable[Finding]) -> None:
        """Count the findings of a test.

        Args:
            test: Its node id.
            findings: What was found in it and is not accepted.
        """
        for finding in findings:
            self._add(
                FindingTotal(
                    rule=finding.rule,
                    place=finding.place,
                    message=finding.message,
                    severity=finding.severity,
                    tests=[test],
                )
            )

    def note(self, text: str) -> None:
        """Take down something that must be known, once."""
        if text not in self.notes:
            self.notes.append(text)

    def note_unenforced(self, total: UnenforcedTotal) -> None:
        """Count something that was let through, unless it is known of its place."""
        known = ((one.isolation, one.gap, one.place) for one in self.unenforced)
        if (total.isolation, total.gap, total.place) not in known:
            self.unenforced.append(total)

    def _add(self, total: FindingTotal) -> None:
        for known in self.findings:
            if (known.rule, known.place) == (total.rule, total.place):
                known.tests = list(dict.fromkeys([*known.tests, *total.tests]))
                if total.severity.reaches(known.severity):
                    known.severity = total.severity
                return
        self.findings.append(total)

    def to_plain(self) -> Plain:
        """Return the same as plain values that JSON carries."""
        return {
            "requests": self.requests,
            "instances": self.instances,
            "cold_starts_s": list(self.cold_starts_s),
            "handlings_s": list(self.handlings_s),
            "findings": [total.to_plain() for total in self.findings],
            "accepted": self.accepted,
            "not_enforced": self.not_enforced,
            "dropped": [list(pair) for pair in self.dropped],
            "notes": list(self.notes),
            "unenforced": [
                [one.isolation, one.gap, one.place, one.operation] for one in self.unenforced
            ],
        }

    @classmethod
    def from_plain(cls, plain: Plain) -> SessionTotals:
        """Read what `to_plain` wrote.

        Args:
            plain: Plain values of the same version of this package.

        Returns:
            The totals.
        """
        totals = cls(
            requests=cast("int", plain["requests"]),
            instances=cast("int", plain["instances"]),
            cold_starts_s=list(cast("list[float]", plain["cold_starts_s"])),
            handlings_s=list(cast("list[float]", plain["handlings_s"])),
            accepted=cast("int", plain["accepted"]),
            not_enforced=cast("str", plain["not_enforced"]),
            dropped=[(name, why) for name, why in cast("list[list[str]]", plain["dropped"])],
            notes=list(cast("list[str]", plain["notes"])),
        )
        for row in cast("list[list[str]]", plain["unenforced"]):
            isolation, gap, place, operation = row
            totals.unenforced.append(
                UnenforcedTotal(
                    isolation=cast("IsolationName", isolation),
                    gap=gap,
                    place=place,
                    operation=operation,
                )
            )
        for item in cast("list[Plain]", plain["findings"]):
            totals.findings.append(
                FindingTotal(
                    rule=cast("str", item["rule"]),
                    place=cast("str", item["place"]),
                    message=cast("str", item["message"]),
                    severity=Severity(cast("str", item["severity"])),
                    tests=list(cast("list[str]", item["tests"])),
                )
            )
        return totals

    @classmethod
    def merged(cls, parts: Iterable[SessionTotals]) -> SessionTotals:
        """Add totals up.

        Args:
            parts: Totals of the workers; they stay as they are.

        Returns:
            Their sum.
        """
        whole = cls()
        for part in parts:
            whole.requests += part.requests
            whole.instances += part.instances
            whole.cold_starts_s += part.cold_starts_s
            whole.handlings_s += part.handlings_s
            whole.accepted += part.accepted
            whole.not_enforced = whole.not_enforced or part.not_enforced
            whole.dropped = list(dict.fromkeys([*whole.dropped, *part.dropped]))
            whole.notes = list(dict.fromkeys([*whole.notes, *part.notes]))
            for one in part.unenforced:
                whole.note_unenforced(one)
            for total in cls.from_plain(part.to_plain()).findings:
                whole._add(total)
        return whole
