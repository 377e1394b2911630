"""What a test's settings come to on this machine: start method, isolation, writes, folders.

And what they cannot come to, each with what to do instead.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Literal

from pytest_stateless.errors import ConfigurationError
from pytest_stateless.forkserver import probe
from pytest_stateless.forkserver.spawner import can_fork

if TYPE_CHECKING:
    from pytest_stateless.model.isolation import IsolationName
    from pytest_stateless.session.settings import Settings

StartMethod = Literal["cold", "snapshot", "spawn"]


def start_of(settings: Settings, *, has_object: bool) -> StartMethod:
    """Choose the start method.

    Args:
        settings: Of the test.
        has_object: Whether the test has given an app object of this process.

    Returns:
        What was set, else what serves an object, else the fastest that this system has.
    """
    if settings.start != "auto":
        return settings.start
    if has_object:
        return "snapshot"
    return "cold" if can_fork() else "spawn"


def check_start(start: StartMethod) -> None:
    """Check that instances can come to be so.

    Args:
        start: The start method.

    Raises:
        ConfigurationError: It forks, and this system cannot.
    """
    if start != "spawn" and not can_fork():
        raise ConfigurationError(
            f"start = {start!r} forks, and {sys.platform} cannot; leave start at 'auto', which "
            "starts a new interpreter for each instance there"
        )


def check_snapshot(settings: Settings, reason: str, *, is_enforced: bool) -> None:
    """Check that an instance can be a fork of this process.

    Args:
        settings: Of the test.
        reason: Why it has to be.
        is_enforced: Whether there are instances at all.

    Raises:
        ConfigurationError: The settings insist on another start method, or this system cannot
            fork.
    """
    if settings.start not in {"auto", "snapshot"}:
        origin = settings.origins.get("start", "the settings")
        raise ConfigurationError(
            f"{reason}, and start = {settings.start!r} ({origin}) makes instances that do not have "
            "it; leave start at 'auto' or set 'snapshot', which forks this process as it stands"
        )
    if is_enforced and not can_fork():
        raise ConfigurationError(
            f"{reason}, and {sys.platform} cannot fork this process; name the app as "
            "'module:attribute', and give functions at the top level of a module"
        )


def isolation_of(settings: Settings) -> IsolationName:
    """Choose the isolation.

    Args:
        settings: Of the test.

    Returns:
        What was set, else the strongest that this machine allows.

    Raises:
        SandboxUnavailableError: This machine refuses it, or allows none.
    """
    name = settings.isolation
    if name == "auto":
        return probe.strongest()
    probe.require(name)
    return name


def note_on_writes(settings: Settings, isolation: IsolationName) -> str:
    """Insist on discarding writes where that was asked for.

    Args:
        settings: Of the test.
        isolation: What seals its instances.

    Returns:
        What to tell where only the platform does it and the isolation cannot; else empty.

    Raises:
        ConfigurationError: It was asked for, and the isolation cannot.
    """
    if settings.platform.writes == "refuse" or isolation == "namespace":
        return ""
    origin = settings.origins.get("writes")
    if origin is not None:
        raise ConfigurationError(
            f"writes = 'discard' ({origin}) needs isolation 'namespace', and this test has "
            f"{isolation!r}, which has no disk to give; set 'refuse', or allow namespaces"
        )
    return (
        f"{settings.platform.name} discards writes with their instance; isolation {isolation} "
        "cannot, and refuses them"
    )


def service_folder(path: str) -> str:
    """Find the folder of a service path.

    Args:
        path: An existing folder, or a file: then its folder.

    Returns:
        The folder, absolute.

    Raises:
        ConfigurationError: There is no such folder.
    """
    folder = path if os.path.isdir(path) else os.path.dirname(path)  # noqa: PTH112, PTH120
    if not os.path.isdir(folder):  # noqa: PTH112
        raise ConfigurationError(
            f"service path {path!r} does not exist; make it before the first request"
        )
    return os.path.abspath(folder)  # noqa: PTH100 (a string goes on)
