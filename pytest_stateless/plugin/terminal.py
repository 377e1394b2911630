"""What the terminal shows beside the tests: the header and the summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_stateless.plugin.options import given, settings_for
from pytest_stateless.plugin.state import STATE

if TYPE_CHECKING:
    from pytest_stateless.session.settings import Settings

_WORKER_KEY = "stateless"


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what is enforced and how, where the plugin is used at all."""
    state = config.stash[STATE]
    is_used = any("app" in options for options in given(config))
    if not is_used and not state.not_enforced:
        return []
    from pytest_stateless.report.header import (  # noqa: PLC0415 (only where it is used)
        HeaderFacts,
        format_header,
        format_not_enforced,
    )

    if state.not_enforced:
        return [f"stateless: {format_not_enforced(state.not_enforced)}"]
    settings = settings_for(config, None)
    isolation, writes = _describe_isolation(settings, str(config.rootpath))
    return [
        format_header(
            HeaderFacts(
                app=settings.app,
                app_origin=_origin(settings, "app"),
                platform=settings.platform,
                platform_origin=_origin(settings, "platform"),
                start=_describe_start(settings),
                isolation=isolation,
                writes=writes,
            )
        )
    ]


def _describe_start(settings: Settings) -> str:
    from pytest_stateless.forkserver.spawner import can_fork  # noqa: PLC0415 (where it is used)

    if settings.start != "auto":
        return settings.start
    return "cold" if can_fork() else "spawn"


def _origin(settings: Settings, name: str) -> str:
    return settings.origins.get(name, "default")


def _describe_isolation(settings: Settings, rootdir: str) -> tuple[str, str]:
    """Say what seals an instance, and what becomes of its writes where that goes without saying."""
    from pytest_stateless.errors import SandboxUnavailableError  # noqa: PLC0415 (where it is used)
    from pytest_stateless.forkserver import probe  # noqa: PLC0415
    from pytest_stateless.report.header import describe_isolation  # noqa: PLC0415

    name = settings.isolation
    try:
        if name == "auto":
            name = probe.strongest()
        else:
            probe.require(name)
    except SandboxUnavailableError as error:
        return f"none: {error}", ""
    is_privileged = probe.probe(name).is_privileged
    writes = _describe_writes(settings, rootdir) if name == "namespace" else ""
    return describe_isolation(name, is_privileged=is_privileged), writes


def _describe_writes(settings: Settings, rootdir: str) -> str:
    from pytest_stateless.forkserver.probe import probe  # noqa: PLC0415 (only where it is used)
    from pytest_stateless.model.platform import find_profile  # noqa: PLC0415
    from pytest_stateless.model.quantity import format_size  # noqa: PLC0415
    from pytest_stateless.session.disk import own_disk  # noqa: PLC0415

    platform = settings.platform
    note = settings.origins.get("writes", platform.name)
    if platform.writes == "refuse":
        is_usual = find_profile(platform.name).writes == "refuse"
        return "" if is_usual else f"refused ({note})"
    disk = own_disk(platform.disk_bytes, needed=(rootdir,), visible=())
    refusal = probe("namespace", disk).refusal
    if refusal:
        return f"cannot be discarded: this machine refuses overlays ({refusal})"
    return f"discarded ({note}; {format_size(platform.disk_bytes)})"


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """End services, and hand what was counted to the controller of pytest-xdist."""
    state = session.config.stash.get(STATE, None)
    if state is not None and state.services is not None:
        state.services.close()
    output = getattr(session.config, "workeroutput", None)
    if state is not None and output is not None and state.totals:
        from pytest_stateless.model.totals import SessionTotals  # noqa: PLC0415 (where it is used)

        output[_WORKER_KEY] = SessionTotals.merged(state.totals).to_plain()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """Take what a worker of pytest-xdist has counted."""
    config: pytest.Config = node.config  # type: ignore[attr-defined]
    plain = getattr(node, "workeroutput", {}).get(_WORKER_KEY)
    if plain is not None:
        from pytest_stateless.model.totals import SessionTotals  # noqa: PLC0415 (where it is used)

        config.stash[STATE].totals.append(SessionTotals.from_plain(plain))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Write the summary, where there is something to sum up."""
    state = config.stash[STATE]
    if not state.totals:
        return
    from pytest_stateless.model.totals import SessionTotals  # noqa: PLC0415 (where it is used)
    from pytest_stateless.report.summary import format_summary  # noqa: PLC0415

    totals = SessionTotals.merged(state.totals)
    lines = format_summary(totals, terminalreporter._tw.fullwidth)  # noqa: SLF001
    if lines:
        terminalreporter.write_sep("=", "stateless")  # `section` leaves the progress line open
        for line in lines:
            terminalreporter.write_line(line)
