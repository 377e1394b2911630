"""The summary at the end of a session: what was served, what was found, what was not enforced."""

from __future__ import annotations

from statistics import median
from textwrap import shorten
from typing import TYPE_CHECKING

from pytest_stateless.model.isolation import find_isolation
from pytest_stateless.model.quantity import format_duration
from pytest_stateless.model.rule import RULES, Severity
from pytest_stateless.report.header import format_not_enforced
from pytest_stateless.report.mask import mask
from pytest_stateless.report.wrap import wrap

if TYPE_CHECKING:
    from pytest_stateless.model.totals import FindingTotal, SessionTotals, UnenforcedTotal

_SHOWN_MODULES = 2
_SHOWN_PLACES = 10
_REASON_WIDTH = 60
_MESSAGE_WIDTH = 40


def format_summary(totals: SessionTotals, width: int) -> list[str]:
    """Write the summary.

    Args:
        totals: What the session counted.
        width: Of the terminal, in columns.

    Returns:
        Its lines, without the title; none if there is nothing to say.
    """
    lines: list[str] = []
    if totals.not_enforced:
        lines += wrap(format_not_enforced(totals.not_enforced), width, indent=0)
    if totals.requests:
        lines.append(_describe_requests(totals))
    lines += _describe_findings(totals.findings)
    is_clean = totals.instances and not totals.findings and not totals.accepted
    if is_clean and not totals.not_enforced:
        lines.append("no findings")
    if totals.accepted:
        lines.append(f"{_count(totals.accepted, 'finding')} accepted (stateless_allow, allow=...)")
    lines += _describe_dropped(totals.dropped, width)
    for note in totals.notes:
        lines += wrap(mask(note), width, indent=0)
    lines += _describe_unenforced(totals.unenforced, width)
    return lines


def _describe_requests(totals: SessionTotals) -> str:
    text = _count(totals.requests, "request")
    if totals.instances:
        text += f" on {_count(totals.instances, 'fresh instance')}"
    if totals.cold_starts_s:
        middle, slowest = median(totals.cold_starts_s), max(totals.cold_starts_s)
        text += f"; cold start {format_duration(middle)} (median)"
        text += f", slowest {format_duration(slowest)}"
    if totals.handlings_s:
        text += f"; handling {format_duration(median(totals.handlings_s))}"
    return text


def _describe_findings(findings: list[FindingTotal]) -> list[str]:
    ordered = sorted(
        findings, key=lambda one: (one.severity is Severity.WARNING, one.rule, one.place)
    )
    rows = [_describe_row(total) for total in ordered]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _describe_row(total: FindingTotal) -> tuple[str, str, str, str]:
    note = " (warning)" if total.severity is Severity.WARNING else ""
    place = total.place or shorten(mask(total.message), _MESSAGE_WIDTH, placeholder=" ...")
    first = total.tests[0] if total.tests else ""
    count = _count(len(total.tests), "test")
    is_many = len(total.tests) > 1
    return (
        f"{total.rule} {RULES[total.rule].name}{note}",
        place,
        count,
        f"first {first}" if is_many else first,
    )


def _describe_dropped(dropped: list[tuple[str, str]], width: int) -> list[str]:
    if not dropped:
        return []
    shown = ", ".join(
        f"{name} ({shorten(mask(why), _REASON_WIDTH, placeholder=' ...')})"
        for name, why in dropped[:_SHOWN_MODULES]
    )
    more = f" and {len(dropped) - _SHOWN_MODULES} more" if len(dropped) > _SHOWN_MODULES else ""
    return wrap(
        f"not imported ahead, so imported at each cold start: {shown}{more}", width, indent=0
    )


def _describe_unenforced(unenforced: list[UnenforcedTotal], width: int) -> list[str]:
    """Name what was let through, under the gap that let it."""
    lines: list[str] = []
    for isolation, gap in dict.fromkeys((one.isolation, one.gap) for one in unenforced):
        text = next(one.text for one in find_isolation(isolation).gaps if one.name == gap)
        lines += wrap(f"not enforced by isolation {isolation}: {text}", width, indent=0)
        rows = [one for one in unenforced if (one.isolation, one.gap) == (isolation, gap)]
        for one in rows[:_SHOWN_PLACES]:
            lines += wrap(f"{one.place}  {mask(one.operation)}", width, indent=4)
        if len(rows) > _SHOWN_PLACES:
            lines.append(f"    and {len(rows) - _SHOWN_PLACES} more places")
    return lines


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
