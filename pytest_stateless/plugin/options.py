"""Options: the ini file, the command line and the markers, all from one table."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from pytest_stateless.plugin.state import STATE, State
from pytest_stateless.session.options import OPTIONS

if TYPE_CHECKING:
    from pytest_stateless.session.settings import Layer, Settings

MARKER = "stateless"

_SEALING_SUITES_LATER = (
    "sealing the requests of a suite's own clients is not in this release; use the fixture "
    "'stateless', whose client serves each request from a fresh instance"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare every option."""
    group = parser.getgroup("stateless", "serve requests from fresh, sealed instances")
    group.addoption(
        "--stateless",
        action="store_true",
        dest="stateless_everything",
        help="seal every request of the suite (not in this release)",
    )
    group.addoption(
        "--no-stateless",
        action="store_true",
        dest="stateless_off",
        help="serve everything in pytest's own process and enforce nothing",
    )
    for option in OPTIONS:
        shown = f"{option.help} (default: {option.default})" if option.default else option.help
        default = False if option.kind == "bool" else None
        parser.addini(option.ini, shown, type=option.kind, default=default)
        if option.on_command_line:
            choices = f" [{', '.join(option.choices)}]" if option.choices else ""
            group.addoption(
                option.flag,
                dest=_destination(option.name),
                metavar=option.name.upper(),
                default=None,
                help=option.help + choices,
            )


def _destination(name: str) -> str:
    return f"stateless_option_{name}"


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers and check the options that hold for the whole session.

    Raises:
        pytest.UsageError: An option does not exist in this release or cannot be what was meant.
    """
    takes = ", ".join(option.name for option in OPTIONS if option.on_marker)
    config.addinivalue_line(
        "markers", f"{MARKER}({takes}): options of the fixture 'stateless' for this test"
    )
    if config.getoption("stateless_everything"):
        raise pytest.UsageError(f"--stateless: {_SEALING_SUITES_LATER}")
    config.stash[STATE] = State(not_enforced=_why_not_enforced(config))
    if any(given(config)):
        settings_for(config, None)


def _why_not_enforced(config: pytest.Config) -> str:
    if config.getoption("stateless_off"):
        return "--no-stateless"
    for option in ("usepdb", "trace"):
        if config.getoption(option, default=False):
            name = "--pdb" if option == "usepdb" else "--trace"
            return f"{name} needs the app in this process"
    debugger = sys.modules.get("pydevd")
    if debugger is not None and debugger.get_global_debugger() is not None:
        return "a debugger is attached, and needs the app in this process"
    return ""


def settings_for(config: pytest.Config, item: pytest.Item | None) -> Settings:
    """Merge what is set for a test.

    Args:
        config: Of the session.
        item: The test, or None for what holds without any marker.

    Returns:
        Its settings.

    Raises:
        pytest.UsageError: An option does not exist or its value cannot be what was meant.
    """
    from pytest_stateless.errors import ConfigurationError  # noqa: PLC0415 (where it is used)
    from pytest_stateless.session.settings import Layer, resolve  # noqa: PLC0415

    ini, line = given(config)
    try:
        return resolve(
            Layer(origin="ini file", values=ini),
            Layer(origin="command line", values=line),
            *(_marker_layers(item) if item is not None else ()),
        )
    except ConfigurationError as error:
        where = f"{item.nodeid}: " if item is not None else ""
        raise pytest.UsageError(f"{where}{error}") from error


def given(config: pytest.Config) -> tuple[dict[str, object], dict[str, object]]:
    """Return the options that somebody has set for the session.

    Args:
        config: Of the session.

    Returns:
        Names and values from the ini file, and those from the command line.
    """
    ini = {option.name: config.getini(option.ini) for option in OPTIONS}
    line = {
        option.name: config.getoption(_destination(option.name))
        for option in OPTIONS
        if option.on_command_line
    }
    return _set(ini), _set(line)


def _set(values: dict[str, object]) -> dict[str, object]:
    return {
        name: [str(one) for one in value] if isinstance(value, list) else value
        for name, value in values.items()
        if value
    }


def _marker_layers(item: pytest.Item) -> list[Layer]:
    from pytest_stateless.session.settings import Layer  # noqa: PLC0415 (where it is used)

    layers: list[Layer] = []
    for mark in reversed(list(item.iter_markers(MARKER))):
        if mark.args:
            raise pytest.UsageError(
                f"{item.nodeid}: marker stateless takes keywords only, got {mark.args!r}; "
                "write @pytest.mark.stateless(app='shop.app:app')"
            )
        layers.append(Layer(origin="marker", values=dict(mark.kwargs)))
    return layers


def refuse_bare_markers(items: list[pytest.Item]) -> None:
    """Refuse the marker on tests that do not use the fixture: it would do nothing.

    Args:
        items: The collected tests.

    Raises:
        pytest.UsageError: There is such a test.
    """
    for item in items:
        if item.get_closest_marker(MARKER) is None:
            continue
        if "stateless" not in getattr(item, "fixturenames", ()):
            raise pytest.UsageError(
                f"{item.nodeid}: marker stateless on a test without the fixture 'stateless': "
                f"{_SEALING_SUITES_LATER}"
            )
        settings_for(item.config, item)
