"""Folding: what is the same finding, across the requests of a test and across tests."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_stateless.model.rule import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_stateless.model.finding import Finding

_NUMBER = re.compile(r"\d+")
_SHOWN_REQUESTS = 3


def finding_key(finding: Finding) -> tuple[str, str, int, str]:
    """Return what identifies a finding from one test to the next.

    Args:
        finding: Any finding.

    Returns:
        Rule, path, line and message; numbers in the message (of a thread, say) do not count.
    """
    message = _NUMBER.sub("#", finding.message)
    return finding.rule, finding.path, finding.line, message


def merge(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Fold the findings of a test: one for each rule and place.

    Args:
        findings: In the order of their requests.

    Returns:
        The first of each, the first error where errors and warnings meet, with a line of
        evidence naming the later requests that showed it too.
    """
    groups: dict[tuple[str, str, int, str], list[Finding]] = {}
    for finding in findings:
        message = "" if finding.path else finding.message
        key = (finding.rule, finding.path, finding.line, message)
        groups.setdefault(key, []).append(finding)
    return tuple(_fold(group) for group in groups.values())


def _fold(group: list[Finding]) -> Finding:
    lead = next((one for one in group if one.severity is Severity.ERROR), group[0])
    evidence = list(lead.evidence)
    evidence += [
        f"also: {other.message}"
        for other in group
        if other.request == lead.request and other.message != lead.message
    ]
    requests = dict.fromkeys(one.request for one in group if one.request != lead.request)
    if requests:
        shown = ", ".join(list(requests)[:_SHOWN_REQUESTS])
        hidden = len(requests) - _SHOWN_REQUESTS
        evidence.append(f"also in {shown}" + (f" and {hidden} more" if hidden > 0 else ""))
    return replace(lead, evidence=tuple(dict.fromkeys(evidence)))
