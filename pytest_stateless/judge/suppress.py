"""What the user accepts, and what fails a test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_stateless.model.finding import Finding
from pytest_stateless.model.rule import Severity
from pytest_stateless.model.suppression import Suppression

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A finding that the user accepts.

    Attributes:
        finding: What was found.
        suppression: The first that covers it, with its reason.
    """

    finding: Finding
    suppression: Suppression


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Findings, told apart by whether the user accepts them.

    Attributes:
        kept: Those that count, in order.
        accepted: Those that do not, in order.
    """

    kept: tuple[Finding, ...]
    accepted: tuple[Accepted, ...]


def split(findings: Iterable[Finding], suppressions: Sequence[Suppression]) -> Split:
    """Tell findings apart by whether the user accepts them.

    Args:
        findings: All of them.
        suppressions: From options and markers.

    Returns:
        Both parts.
    """
    kept: list[Finding] = []
    accepted: list[Accepted] = []
    for finding in findings:
        cover = next((one for one in suppressions if one.accepts(finding)), None)
        if cover is None:
            kept.append(finding)
        else:
            accepted.append(Accepted(finding=finding, suppression=cover))
    return Split(kept=tuple(kept), accepted=tuple(accepted))


def worst(findings: Iterable[Finding]) -> Severity | None:
    """Return the highest severity among `findings`, or None if there are none."""
    severities = {finding.severity for finding in findings}
    return next((one for one in reversed(Severity) if one in severities), None)


def fails(findings: Iterable[Finding], threshold: Severity | None) -> bool:
    """Tell whether findings fail their test.

    Args:
        findings: Those that the user does not accept.
        threshold: The least severity that fails a test; None for never.

    Returns:
        Whether one of them reaches the threshold.
    """
    if threshold is None:
        return False
    return any(finding.severity.reaches(threshold) for finding in findings)
