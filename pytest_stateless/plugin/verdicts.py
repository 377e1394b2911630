"""From what was found in a test to what becomes of the test."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from pytest_stateless.plugin.state import SECTIONS

if TYPE_CHECKING:
    from pytest_stateless.model.finding import Finding
    from pytest_stateless.plugin.state import State

_MAX_WIDTH = 100


def report_width() -> int:
    """Return the columns that reports may take: the terminal's, but no more than reads well."""
    return min(shutil.get_terminal_size((_MAX_WIDTH, 24)).columns, _MAX_WIDTH)


def raise_findings(state: State) -> None:
    """Fail the running test, or example, for what was found and has not been told in it yet.

    Args:
        state: The session's own.

    Raises:
        pytest.fail.Exception: There are findings at or above `stateless_fail_on`.
    """
    text = _describe_failure(state)
    if text:
        pytest.fail(text, pytrace=False)


def keep_late_findings(state: State) -> None:
    """Keep what was found after the test's own call, before the platform goes.

    Args:
        state: The session's own.
    """
    state.late = _describe_failure(state)


def raise_late_findings(state: State) -> None:
    """Fail a test's tear-down for what was found in it.

    Args:
        state: The session's own.

    Raises:
        pytest.fail.Exception: There are findings at or above `stateless_fail_on`.
    """
    text, state.late = state.late or _describe_failure(state), ""
    if text:
        pytest.fail(text, pytrace=False)


def _describe_failure(state: State) -> str:
    from pytest_stateless.judge.suppress import fails  # noqa: PLC0415 (only where it is used)
    from pytest_stateless.report.finding import format_findings  # noqa: PLC0415

    kept = _take_findings(state)
    if state.platform is None or not fails(kept, state.platform.settings.fail_on):
        return ""
    return format_findings(kept, report_width())


def _take_findings(state: State) -> tuple[Finding, ...]:
    """Count the findings that the running test has not told yet."""
    from pytest_stateless.judge.suppress import split  # noqa: PLC0415 (only where it is used)

    platform = state.platform
    if platform is None or state.item is None:
        return ()
    news = tuple(finding for finding in platform.findings() if _is_news(finding, state))
    parts = split(news, platform.settings.allow)
    platform.totals.add_findings(state.item.nodeid, parts.kept)
    platform.totals.accepted += len(parts.accepted)
    return parts.kept


def _is_news(finding: Finding, state: State) -> bool:
    """Tell whether a finding is to be told: once a test, and some once a session."""
    from pytest_stateless.judge.merge import finding_key  # noqa: PLC0415 (only where it is used)

    key = finding_key(finding)
    is_told = key in state.told_here or (finding.is_once_a_session and key in state.told)
    state.told.add(key)
    state.told_here.add(key)
    return not is_told


def add_sections(item: pytest.Item, state: State, error: BaseException) -> None:
    """Keep findings and tracebacks of instances for the report of a test that failed itself.

    Args:
        item: The test.
        state: The session's own.
        error: What it failed with.
    """
    from pytest_stateless.errors import ColdStartError  # noqa: PLC0415 (only where it is used)
    from pytest_stateless.report.crash import format_app_exception  # noqa: PLC0415
    from pytest_stateless.report.finding import format_findings  # noqa: PLC0415

    platform = state.platform
    if platform is None:
        return
    sections = item.stash.setdefault(SECTIONS, [])
    findings = _take_findings(state)
    is_told = isinstance(error, ColdStartError) and error.findings
    if findings and not is_told and not isinstance(error, pytest.fail.Exception):
        sections.append(("stateless findings", format_findings(findings, report_width())))
    if platform.settings.raises_app_exceptions:
        return  # its traceback has been raised, and is pytest's to show
    for entry in platform.ledger.entries:
        exchange = entry.exchange
        is_logged = any(record.exception for record in exchange.log_records)
        if exchange.exception and not is_logged and not isinstance(error, ColdStartError):
            title = f"{exchange.title} (request {exchange.number}, instance {exchange.instance})"
            sections.append((
                "stateless exception",
                format_app_exception(title, exchange.exception),
            ))
