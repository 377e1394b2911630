"""The header line: what serves the requests of this session, and where each choice came from."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_stateless.model.isolation import IsolationName, find_isolation
from pytest_stateless.model.platform import PlatformProfile
from pytest_stateless.model.quantity import format_size
from pytest_stateless.report.mask import mask


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderFacts:
    """What the header line says.

    Attributes:
        app: The app reference, empty if none is set for the session.
        platform: The profile.
        start: The start method.
        isolation: The isolation and how it is had, such as `namespace (kernel, unprivileged)`.
        writes: What becomes of writes outside `/tmp`, such as `discarded`; empty to leave it out.
        app_origin: Where the app was set, such as `--stateless-app`; empty to leave it out.
        platform_origin: Where the platform was set, such as `default`; empty to leave it out.
        start_origin: Where the start method was set; empty to leave it out.
        not_enforced: Why nothing is enforced, such as `--no-stateless`; empty if all is.
    """

    app: str
    platform: PlatformProfile
    start: str
    isolation: str
    writes: str = ""
    app_origin: str = ""
    platform_origin: str = ""
    start_origin: str = ""
    not_enforced: str = ""


def format_header(facts: HeaderFacts) -> str:
    """Write the header line.

    Args:
        facts: What it says.

    Returns:
        One line.
    """
    app = mask(facts.app) if facts.app else "not set (stateless_app, --stateless-app)"
    parts = [f"app {_with_note(app, facts.app_origin)}"]
    if facts.not_enforced:
        return f"stateless: {format_not_enforced(facts.not_enforced)} | {parts[0]}"
    limits = _describe_limits(facts.platform)
    origin = f"{facts.platform_origin}; " if facts.platform_origin else ""
    parts += [
        f"platform {facts.platform.name} ({origin}{limits})",
        f"start {_with_note(facts.start, facts.start_origin)}",
        f"isolation {facts.isolation}",
        *([f"writes outside /tmp {facts.writes}"] if facts.writes else []),
    ]
    return "stateless: " + " | ".join(parts)


def describe_isolation(name: IsolationName, *, is_privileged: bool) -> str:
    """Say what seals instances, and what it does not cover.

    Args:
        name: The isolation.
        is_privileged: Whether the session has root's privileges.

    Returns:
        A clause for the header.
    """
    isolation = find_isolation(name)
    who = "root" if is_privileged else "unprivileged"
    text = f"{name} ({isolation.enforcer}, {who})"
    return f"{text}; not covered: {isolation.uncovered}" if isolation.uncovered else text


def format_not_enforced(reason: str) -> str:
    """Say that nothing is enforced.

    Args:
        reason: Why, such as `--no-stateless`.

    Returns:
        A clause for header and summary.
    """
    return f"not enforced: {reason}; every request is served in this process, nothing is sealed"


def _with_note(text: str, note: str) -> str:
    return f"{text} ({note})" if note else text


def _describe_limits(platform: PlatformProfile) -> str:
    sizes = dict.fromkeys(
        format_size(size)
        for size in (platform.request_bytes, platform.response_bytes)
        if size is not None
    )
    payload = [" / ".join(sizes)] if sizes else []
    return ", ".join([*payload, f"/tmp {format_size(platform.tmp_bytes)}", "1 request at a time"])
