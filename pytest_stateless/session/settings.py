"""Settings: what a test gets from ini file, command line and marker."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from pytest_stateless.errors import ConfigurationError
from pytest_stateless.model.app_reference import parse_app_reference
from pytest_stateless.model.isolation import IsolationName, is_at_least
from pytest_stateless.model.platform import PlatformProfile, find_profile
from pytest_stateless.model.quantity import parse_duration, parse_size
from pytest_stateless.model.rule import Severity
from pytest_stateless.model.suppression import Suppression, parse_suppression
from pytest_stateless.session.options import (
    DEFAULT_PLATFORM,
    OPTIONS,
    Isolation,
    Start,
    Writes,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one test gets.

    Attributes:
        app: The app reference, empty if there is none.
        platform: The profile, with the test's own sizes and its way of writing applied.
        start: How an instance comes to be.
        isolation: What seals it.
        service_paths: Absolute folders that stay writable.
        allow: Accepted findings.
        fail_on: The least severity that fails a test, None for never.
        env: Variables for the gaps of the environment.
        setup: Reference of a function to run after the app's import.
        source: Folders or top-level packages that are first-party too.
        preloads: Whether third-party modules are imported ahead.
        raises_app_exceptions: Whether exceptions of the app are raised in the test.
        origins: Where each option that somebody set was set.
    """

    app: str = ""
    platform: PlatformProfile = field(default_factory=lambda: find_profile(DEFAULT_PLATFORM))
    start: Start = "auto"
    isolation: Isolation = "auto"
    service_paths: tuple[str, ...] = ()
    allow: tuple[Suppression, ...] = ()
    fail_on: Severity | None = Severity.ERROR
    env: tuple[tuple[str, str], ...] = ()
    setup: str = ""
    source: tuple[str, ...] = ()
    preloads: bool = True
    raises_app_exceptions: bool = False
    origins: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Options from one source.

    Attributes:
        origin: The source, for messages: `ini file`, `command line`, `marker`.
        values: Option names and values as given.
    """

    origin: str
    values: Mapping[str, object]


def resolve(*layers: Layer) -> Settings:
    """Merge sources of options.

    Args:
        layers: Weakest first; the last one that sets an option wins, but accepted findings add up.

    Returns:
        The settings.

    Raises:
        ConfigurationError: An option does not exist or its value cannot be what was meant.
    """
    values: dict[str, object] = {}
    origins: dict[str, str] = {}
    allowed: list[object] = []
    for layer in layers:
        for name, value in layer.values.items():
            _check_choice(name, value, layer.origin)
            if name == "allow":
                allowed.extend(_as_list(value))
            elif name == "isolation" and _is_lower(value, than=values, origins=origins):
                continue
            else:
                values[name] = value
            origins[name] = layer.origin
    app = _text(values, "app")
    if app:
        parse_app_reference(app)
    fail_on = _text(values, "fail_on") or "error"
    return Settings(
        app=app,
        platform=_platform(values),
        start=cast("Start", _text(values, "start") or "auto"),
        isolation=cast("Isolation", _text(values, "isolation") or "auto"),
        service_paths=tuple(str(path) for path in _as_list(values.get("service_paths", []))),
        allow=tuple(parse_suppression(str(text)) for text in allowed),
        fail_on=None if fail_on == "never" else Severity(fail_on),
        env=tuple(_variable(str(line)) for line in _as_list(values.get("env", []))),
        setup=_text(values, "setup"),
        source=tuple(str(line) for line in _as_list(values.get("source", []))),
        preloads=_text(values, "preload") != "none",
        raises_app_exceptions=bool(values.get("raise_app_exceptions", False)),
        origins=origins,
    )


def _is_lower(value: object, *, than: Mapping[str, object], origins: Mapping[str, str]) -> bool:
    """Tell whether an isolation is weaker than what the command line insists on."""
    minimum = than.get("isolation")
    if origins.get("isolation") != "command line" or minimum == "auto":
        return False
    return value == "auto" or not is_at_least(
        cast("IsolationName", value), cast("IsolationName", minimum)
    )


def _check_choice(name: str, value: object, origin: str) -> None:
    option = next((option for option in OPTIONS if option.name == name), None)
    if option is None or (origin == "marker" and not option.on_marker):
        takes = ", ".join(option.name for option in OPTIONS if option.on_marker)
        raise ConfigurationError(f"{origin}: {name!r} is no option; choose one of {takes}")
    if option.choices and value not in option.choices:
        raise ConfigurationError(
            f"{origin}: {name} = {value!r}: {value!r} is not known; choose one of "
            f"{', '.join(option.choices)}"
        )


def _platform(values: Mapping[str, object]) -> PlatformProfile:
    profile = find_profile(_text(values, "platform") or DEFAULT_PLATFORM)
    tmp_size, memory, timeout = (values.get(name) for name in ("tmp_size", "memory", "timeout"))
    writes = _text(values, "writes")
    if writes:
        profile = dataclasses.replace(profile, writes=cast("Writes", writes))
    if tmp_size is not None:
        profile = dataclasses.replace(profile, tmp_bytes=parse_size(tmp_size, name="tmp_size"))
    if memory is not None:
        profile = dataclasses.replace(profile, memory_bytes=parse_size(memory, name="memory"))
    if timeout is not None:
        profile = dataclasses.replace(profile, timeout_s=parse_duration(timeout, name="timeout"))
    return profile


def _text(values: Mapping[str, object], name: str) -> str:
    value = values.get(name, "")
    if not isinstance(value, str):
        raise ConfigurationError(f"{name} = {value!r} is no text; write it as a string")
    return value.strip()


def _as_list(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _variable(line: str) -> tuple[str, str]:
    name, equals, value = line.partition("=")
    if not equals or not name.strip():
        raise ConfigurationError(
            f"stateless_env entry {line!r} cannot be read; write NAME=value, "
            "such as 'TABLE_NAME=orders'"
        )
    return name.strip(), value.strip()
