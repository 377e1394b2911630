"""Running a test: its settings before, its findings after."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_stateless.plugin.examples import watch_examples
from pytest_stateless.plugin.frames import cut
from pytest_stateless.plugin.options import refuse_bare_markers, settings_for
from pytest_stateless.plugin.services import begin_test, end_test, failed_service
from pytest_stateless.plugin.state import SECTIONS, STATE
from pytest_stateless.plugin.verdicts import add_sections, raise_findings, raise_late_findings

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_stateless.plugin.state import State
    from pytest_stateless.session.platform import Platform


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Check every marker before the first test runs."""
    refuse_bare_markers(items)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Give the platform the settings of the test, before its fixtures are set up.

    Returns:
        What the other implementations return.

    Raises:
        pytest.fail.Exception: A service could not be put back; the others have had their turn.
    """
    state = item.config.stash[STATE]
    state.item = item
    state.told_here.clear()
    failure = begin_test(item, state)
    if state.platform is not None and state.stateless is not None:
        state.stateless.reset()
        state.platform.configure(settings_for(item.config, item), item.nodeid)
    try:
        result = yield
    except BaseException as error:
        _explain(item, state, error)
        raise
    if failure is not None:
        pytest.fail(f"ServiceError: {failure}", pytrace=False)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Run the test, then fail it for what was found.

    Returns:
        What the other implementations return.

    Raises:
        pytest.fail.Exception: There are findings at or above `stateless_fail_on`.
    """
    state = item.config.stash[STATE]
    try:
        if state.platform is not None or state.services is not None:
            watch_examples(item, state)
        is_served = "stateless" in getattr(item, "fixturenames", ())
        if state.platform is not None and is_served and state.platform.settings.app:
            # here, and not at the first request: a Hypothesis example has a deadline
            _prepare(state.platform)
        result = yield
    except BaseException as error:
        _explain(item, state, error)
        if isinstance(error, pytest.fail.Exception) and not error.pytrace:
            raise pytest.fail.Exception(_with_notes(error), pytrace=False) from None
        raise
    raise_findings(state)
    failure = failed_service(state)
    if failure is not None:
        pytest.fail(f"ServiceError: {failure}", pytrace=False)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Fail the tear-down for what was found in it; the call has told the rest.

    Returns:
        What the other implementations return.

    Raises:
        pytest.fail.Exception: There are findings at or above `stateless_fail_on`.
    """
    state = item.config.stash[STATE]
    try:
        result = yield
    except BaseException as error:
        _explain(item, state, error)
        raise
    finally:
        end_test(item, state)
    raise_late_findings(state)
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


def _explain(item: pytest.Item, state: State, error: BaseException) -> None:
    if state.platform is None:
        return
    if not item.config.getoption("fulltrace"):
        cut(error)
    add_sections(item, state, error)


def _with_notes(failure: BaseException) -> str:
    """Add Hypothesis's failing example, which pytest leaves out where it shows no traceback."""
    notes = [note for note in getattr(failure, "__notes__", ()) if note]
    return "\n".join((str(failure), "", *notes)) if notes else str(failure)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add what was found to the report of a test that failed by itself."""
    report = yield
    if report.failed:
        sections: list[tuple[str, str]] = item.stash.setdefault(SECTIONS, [])
        report.sections.extend(sections)
        sections.clear()
        _note_cold_start(item.config.stash[STATE], call)
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:  # the short summary has one line of the terminal, too short for this
        crash.message = crash.message.removeprefix("pytest_stateless.errors.")
    return report


def _note_cold_start(state: State, call: pytest.CallInfo[None]) -> None:
    """Remember that a report says in full why an app does not start."""
    from pytest_stateless.errors import ColdStartError  # noqa: PLC0415 (only where it is used)

    error = call.excinfo.value if call.excinfo is not None else None
    if state.platform is not None and isinstance(error, ColdStartError):
        state.platform.note_told()
