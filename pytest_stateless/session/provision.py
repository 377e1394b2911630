"""What an instance is given: the surroundings of the test process as they are at this moment."""

from __future__ import annotations

import functools
import importlib.metadata
import json
import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pytest_stateless.guest.adapter.context import lambda_environment
from pytest_stateless.model.app_reference import parse_app_reference
from pytest_stateless.model.coverage_order import without_coverage
from pytest_stateless.model.first_party import FirstParty
from pytest_stateless.session.disk import own_disk
from pytest_stateless.wire.control import Seal
from pytest_stateless.wire.messages import Begin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_stateless.model.coverage_order import CoverageOrder
    from pytest_stateless.model.isolation import IsolationName
    from pytest_stateless.session.settings import Settings

_OWN_FOLDER = Path(__file__).resolve().parent.parent
_NOT_FIRST_PARTY = (".venv", "venv", "env", ".tox", ".nox", "node_modules", ".git", ".eggs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What stays the same for a whole session.

    Attributes:
        rootdir: The suite's root, absolute.
        basetemp: Folder of the suite's temporary folders, absolute.
        width: Columns that a report may take.
    """

    rootdir: str
    basetemp: str
    width: int = 100


def first_party(settings: Settings, surroundings: Surroundings) -> FirstParty:
    """Draw the boundary between the user's code and everybody else's.

    Args:
        settings: Of the test.
        surroundings: Of the session.

    Returns:
        The boundary.
    """
    names = {name for name, _ in _local_distributions()}
    if settings.app:
        names.add(parse_app_reference(settings.app).top_level)
    names |= {entry for entry in settings.source if entry.isidentifier()}
    folders = [
        str((Path(surroundings.rootdir) / entry).resolve())
        for entry in settings.source
        if not entry.isidentifier()
    ]
    return FirstParty(
        roots=(
            surroundings.rootdir,
            *folders,
            *sorted({root for _, root in _local_distributions()}),
        ),
        excluded=_excluded(surroundings.rootdir),
        names=tuple(sorted(names)),
    )


@functools.cache
def _excluded(rootdir: str) -> tuple[str, ...]:
    """Find what below the rootdir is not the user's own code.

    A folder around the rootdir excludes nothing: `/usr` of the system's Python is one of
    `/usr/src/app`.
    """  # noqa: DOC201 (the summary says it)
    candidates = [Path(rootdir) / name for name in _NOT_FIRST_PARTY]
    candidates += [path.parent for path in Path(rootdir).glob("*/pyvenv.cfg")]
    candidates += [Path(sys.prefix), Path(sys.base_prefix), _OWN_FOLDER]
    return tuple(
        sorted({
            str(path)
            for path in candidates
            if path.is_dir() and not Path(rootdir).is_relative_to(path)
        })
    )


@functools.cache
def _local_distributions() -> frozenset[tuple[str, str]]:
    """Find what was installed from a local folder: top-level names and that folder.

    Source: `direct_url.json`, https://packaging.python.org/en/latest/specifications/direct-url/
    """  # noqa: DOC201 (the summary says it)
    found: set[tuple[str, str]] = set()
    for distribution in importlib.metadata.distributions():
        text = distribution.read_text("direct_url.json")
        if text is None:
            continue
        url = urlsplit(json.loads(text).get("url", ""))
        folder = unquote(url.path)
        if url.scheme != "file" or _OWN_FOLDER.is_relative_to(folder) or not Path(folder).is_dir():
            continue
        tops = {file.parts[0].removesuffix(".py") for file in distribution.files or ()}
        found |= {(top, folder) for top in tops if top.isidentifier()}
    return frozenset(found)


def source_map(boundary: FirstParty) -> tuple[tuple[str, str], ...]:
    """Match installed copies of first-party packages with their sources.

    Args:
        boundary: What is first-party.

    Returns:
        Installed prefix and source prefix, of each copy whose source is known.
    """
    pairs: list[tuple[str, str]] = []
    packages = [Path(entry) for entry in sys.path if entry.rstrip("/").endswith("-packages")]
    for name in boundary.names:
        for form in (name, f"{name}.py"):
            sources = (Path(root) / sub / form for root in boundary.roots for sub in ("", "src"))
            source = next((path for path in sources if path.exists()), None)
            if source is not None:
                installed = (folder / form for folder in packages)
                pairs += [(str(path), str(source)) for path in installed if path.exists()]
    return tuple(pairs)


def seal(
    settings: Settings,
    surroundings: Surroundings,
    service_paths: Iterable[str],
    *,
    isolation: IsolationName = "namespace",
) -> Seal:
    """Describe the filesystem of an instance.

    Args:
        settings: Of the test.
        surroundings: Of the session.
        service_paths: Absolute folders that the test declared as services.
        isolation: What seals it.

    Returns:
        The seal.
    """
    needed = (
        surroundings.rootdir,
        surroundings.basetemp,
        # what writes there is refused by name, rather than told of no folder
        os.path.expanduser("~"),  # noqa: PTH111 (a string is what is needed)
        os.getcwd(),  # noqa: PTH109 (a string is what is needed)
        sys.prefix,
        sys.base_prefix,
        str(_OWN_FOLDER.parent),
        *sys.path,
    )
    platform = settings.platform
    folders = tuple(path for path in needed if path)
    visible = _outermost(folders)
    return Seal(
        tmp_bytes=platform.tmp_bytes,
        visible=visible,
        writable=tuple(sorted({os.path.realpath(path) for path in service_paths})),
        isolation=isolation,
        disk=own_disk(platform.disk_bytes, needed=folders, visible=visible)
        if discards(settings, isolation)
        else None,
    )


def discards(settings: Settings, isolation: IsolationName) -> bool:
    """Tell whether writes go to a disk of the instance's own; where they cannot, they are refused.

    Args:
        settings: Of the test.
        isolation: What seals the instance; it takes mounts to give it a disk.

    Returns:
        Whether they do.
    """
    return settings.platform.writes == "discard" and isolation == "namespace"


@functools.cache
def _outermost(paths: tuple[str, ...]) -> tuple[str, ...]:
    """Keep the folders below `/tmp` that no other of them contains."""
    real = sorted({os.path.realpath(path) for path in paths})
    below = [path for path in real if path.startswith("/tmp/") and Path(path).is_dir()]
    kept: list[str] = []
    for path in below:
        if not any(path.startswith(outer + "/") for outer in kept):
            kept.append(path)
    return tuple(kept)


def begin(
    settings: Settings,
    boundary: FirstParty,
    *,
    with_app: bool,
    isolation: IsolationName = "namespace",
    coverage: CoverageOrder | None = None,
) -> Begin:
    """Gather what an instance becomes, from the test process as it is now.

    Args:
        settings: Of the test.
        boundary: What is first-party.
        with_app: Whether the instance serves the app, rather than only runs functions.
        isolation: What seals it.
        coverage: What is to be measured in it.

    Returns:
        The message.
    """
    environ = _environment(settings, settings.app if with_app else "")
    if coverage is not None:
        environ = without_coverage(environ)
    return Begin(
        app=settings.app if with_app else "",
        setup=settings.setup if with_app else "",
        environ=environ,
        sys_path=tuple(sys.path),
        cwd=os.getcwd(),  # noqa: PTH109 (a string is what is needed)
        argv=tuple(sys.argv),
        first_party=boundary,
        memory_bytes=settings.platform.memory_bytes,
        sends_exceptions=settings.raises_app_exceptions or not with_app,
        coverage=coverage,
        has_disk=discards(settings, isolation),
    )


def _environment(settings: Settings, app: str) -> dict[str, str]:
    """Merge the test's environment with what fills its gaps."""
    platform = settings.platform
    environ = dict(platform.environment)
    if platform.runs_lambda:
        environ |= lambda_environment(
            memory_bytes=platform.memory_bytes,
            handler=app,
            cwd=os.getcwd(),  # noqa: PTH109 (a string is what is needed)
        )
    return {**environ, **dict(settings.env), **os.environ}


def log_levels() -> dict[str, int]:
    """Return the levels that are set on loggers of the test process, by name (empty: root)."""
    levels = {"": logging.root.level}
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and logger.level != logging.NOTSET:
            levels[name] = logger.level
    return levels
