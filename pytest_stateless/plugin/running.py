"""Running a test: its settings before, its findings after."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

import pytest

from pytest_stateless.plugin.options import refuse_bare_markers, settings_for
from pytest_stateless.plugin.state import SECTIONS, STATE

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import TracebackType

    from pytest_stateless.model.finding import Finding
    from pytest_stateless.plugin.state import State
    from pytest_stateless.session.platform import Platform

_OUR_FILES = ("/pytest_stateless/", "/httpx2/")
_WIDTH = 100


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Check every marker before the first test runs."""
    refuse_bare_markers(items)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Give the platform the settings of the test, before its fixtures are set up."""
    state = item.config.stash[STATE]
    state.item = item
    if state.platform is not None and state.stateless is not None:
        state.stateless.reset()
        state.platform.configure(settings_for(item.config, item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Run the test, then fail it for what was found.

    Returns:
        What the other implementations return.

    Raises:
        pytest.fail.Exception: There are findings at or above `stateless_fail_on`.
    """
    state = item.config.stash[STATE]
    if state.platform is None:
        return (yield)
    _watch_examples(item, state)
    try:
        if "stateless" in getattr(item, "fixturenames", ()) and state.platform.settings.app:
            # here, and not at the first request: a Hypothesis example has a deadline
            _prepare(state.platform)
        result = yield
    except BaseException as error:
        _cut(error)
        _add_sections(item, state, error)
        raise
    _raise_findings(item, state)
    return result


def _prepare(platform: Platform) -> None:
    from pytest_stateless.errors import StatelessError  # noqa: PLC0415 (only where it is used)

    try:
        platform.prepare()
    except StatelessError as error:
        text = f"{type(error).__name__}: {error}"
    else:
        return
    pytest.fail(text, pytrace=False)  # no line of the test's has run: there is none to show


def _watch_examples(item: pytest.Item, state: State) -> None:
    """Reset before each example of a Hypothesis test and judge after it.

    Source: "Custom function execution" and `inner_test`,
    https://hypothesis.readthedocs.io/en/latest/extras.html
    """
    handle = getattr(getattr(item, "obj", None), "hypothesis", None)
    if handle is None or getattr(handle.inner_test, "is_watched_by_stateless", False):
        return
    handle.inner_test = _watched(handle.inner_test, item, state)


def _watched(inner: Callable[..., Any], item: pytest.Item, state: State) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(inner):

        @functools.wraps(inner)
        async def watched_coroutine(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            __tracebackhide__ = True
            _reset(state)
            await inner(*args, **kwargs)
            _raise_findings(item, state)

        watched: Callable[..., Any] = watched_coroutine
    else:

        @functools.wraps(inner)
        def watched_function(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401
            __tracebackhide__ = True
            _reset(state)
            inner(*args, **kwargs)
            _raise_findings(item, state)

        watched = watched_function
    watched.is_watched_by_stateless = True  # type: ignore[attr-defined]
    return watched


def _reset(state: State) -> None:
    if state.stateless is not None:
        state.stateless.reset()


def _raise_findings(item: pytest.Item, state: State) -> None:
    from pytest_stateless.judge.suppress import fails  # noqa: PLC0415 (only where it is used)
    from pytest_stateless.report.finding import format_findings  # noqa: PLC0415

    platform = state.platform
    if platform is None:
        return
    kept = _count_findings(item, state)
    if fails(kept, platform.settings.fail_on):
        pytest.fail(format_findings(kept, _WIDTH), pytrace=False)


def _count_findings(item: pytest.Item, state: State) -> tuple[Finding, ...]:
    from pytest_stateless.judge.suppress import split  # noqa: PLC0415 (only where it is used)

    platform = state.platform
    if platform is None:
        return ()
    parts = split(platform.findings(), platform.settings.allow)
    kept = tuple(finding for finding in parts.kept if _is_news(finding, state))
    platform.totals.add_findings(item.nodeid, kept)
    platform.totals.accepted += len(parts.accepted)
    return kept


def _is_news(finding: Finding, state: State) -> bool:
    """Tell whether a finding is to be reported: some are told once a session."""
    from pytest_stateless.judge.merge import finding_key  # noqa: PLC0415 (only where it is used)

    key = finding_key(finding)
    is_told = finding.is_once_a_session and key in state.told
    state.told.add(key)
    return not is_told


def _add_sections(item: pytest.Item, state: State, error: BaseException) -> None:
    """Keep findings and tracebacks of instances for the report of a test that failed itself."""
    from pytest_stateless.errors import ColdStartError  # noqa: PLC0415 (only where it is used)
    from pytest_stateless.report.crash import format_app_exception  # noqa: PLC0415
    from pytest_stateless.report.finding import format_findings  # noqa: PLC0415

    platform = state.platform
    if platform is None:
        return
    sections = item.stash.setdefault(SECTIONS, [])
    findings = _count_findings(item, state)
    if findings and not isinstance(error, (ColdStartError, pytest.fail.Exception)):
        sections.append(("stateless findings", format_findings(findings, _WIDTH)))
    for entry in platform.ledger.entries:
        exchange = entry.exchange
        is_logged = any(record.exception for record in exchange.log_records)
        if exchange.exception and not is_logged and not isinstance(error, ColdStartError):
            title = f"{exchange.title} (request {exchange.number}, instance {exchange.instance})"
            sections.append((
                "stateless exception",
                format_app_exception(title, exchange.exception),
            ))


def _cut(error: BaseException) -> None:
    """Take our own frames and the client's out of a traceback: they are not the user's."""
    kept: list[TracebackType] = []
    traceback = error.__traceback__
    while traceback is not None:
        filename = traceback.tb_frame.f_code.co_filename
        if not any(name in filename for name in _OUR_FILES) or "/tests/" in filename:
            kept.append(traceback)
        traceback = traceback.tb_next
    for one, following in zip(kept, [*kept[1:], None], strict=True):
        one.tb_next = following
    if kept:
        error.__traceback__ = kept[0]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add what was found to the report of a test that failed by itself."""
    report = yield
    if call.when == "call" and report.failed:
        sections: list[tuple[str, str]] = item.stash.setdefault(SECTIONS, [])
        report.sections.extend(sections)
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:  # the short summary has one line of the terminal, too short for this
        crash.message = crash.message.removeprefix("pytest_stateless.errors.")
    return report
