"""A finding as the user reads it: the answer first, then the evidence, then what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stateless.model.rule import Severity
from pytest_stateless.report.mask import mask
from pytest_stateless.report.wrap import wrap

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_stateless.model.finding import Finding

_INDENT = 4
_EVIDENCE_INDENT = 8
_FIX_INDENT = 12


def format_headline(finding: Finding) -> str:
    """Write a finding's first line, which pytest's short summary shows too.

    Args:
        finding: The finding.

    Returns:
        `path:line: CODE name: message`, never wrapped.
    """
    place = f"{finding.place}: " if finding.place else ""
    note = " (warning)" if finding.severity is Severity.WARNING else ""
    return f"{place}{finding.rule} {finding.name}{note}: {_one_line(finding.message)}"


def format_finding(finding: Finding, width: int, *, again: str = "") -> str:
    """Write a finding.

    Args:
        finding: The finding.
        width: Of the terminal, in columns.
        again: The command that shows it again; empty for none.

    Returns:
        Its lines, the headline first, without a line break at the end.
    """
    lines = [format_headline(finding), *wrap(mask(finding.cause), width, indent=_INDENT, hang=4)]
    if finding.request or finding.evidence:
        lines.append("")
    if finding.request:
        lines += wrap(mask(finding.request), width, indent=_INDENT)
    for line in finding.evidence:
        lines += wrap(mask(line), width, indent=_EVIDENCE_INDENT)
    lines += wrap(f"fix     {finding.fix}", width, indent=_INDENT, hang=_FIX_INDENT)
    if again:
        # a command is copied, so it is never wrapped
        lines.append(f"{' ' * _INDENT}again   {again}")
    return "\n".join(lines)


def format_findings(findings: Iterable[Finding], width: int) -> str:
    """Write several findings, errors before warnings, an empty line between them.

    Args:
        findings: In the order of their requests.
        width: Of the terminal, in columns.

    Returns:
        The text; empty if there are none.
    """
    ordered = sorted(findings, key=lambda one: one.severity is Severity.WARNING)
    return "\n\n".join(format_finding(finding, width) for finding in ordered)


def _one_line(text: str) -> str:
    return mask(" ".join(text.split()))
