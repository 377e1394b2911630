"""Connections that the test process has open, and that a fork of it must not use.

Two processes on one connection break its protocol, and whichever closes it first closes it for
both. SQLAlchemy's pools can forget their connections, and open new ones in the instance. Other
open connections are named. What looks after itself is left alone: redis-py and PyMongo notice a
fork, and a database in memory is part of the snapshot.

Source: "Using Connection Pools with Multiprocessing or os.fork()",
https://docs.sqlalchemy.org/en/20/core/pooling.html; "Connections cannot be shared between
processes", https://www.psycopg.org/psycopg3/docs/advanced/async.html and psycopg2's own.
"""

from __future__ import annotations

import functools
import gc
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENGINE = ("sqlalchemy.engine.base", "Engine")
_POOL = ("psycopg_pool.pool", "ConnectionPool")
_OPEN: dict[tuple[str, str], Callable[[Any], bool]] = {
    ("psycopg", "Connection"): lambda one: not one.closed,
    ("psycopg", "AsyncConnection"): lambda one: not one.closed,
    ("psycopg2.extensions", "connection"): lambda one: not one.closed,
    ("pymysql.connections", "Connection"): lambda one: bool(one.open),
    ("asyncpg.connection", "Connection"): lambda one: not one.is_closed(),
    _POOL: lambda one: not one.closed,
}
"""Classes, each with how to tell whether one of them is open."""
_FIX = (
    "open it in the app, when it starts or by a request; or let the instance import the app itself "
    "(start = 'cold')"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedConnections:
    """What a fork of this process would share with it.

    Attributes:
        forget: What each fork calls, so that it opens connections of its own.
        warnings: What cannot be mended, and how the user can.
    """

    forget: tuple[Callable[[], object], ...] = ()
    warnings: tuple[str, ...] = ()


def find_shared() -> SharedConnections:
    """Look for open connections in this process.

    All objects are asked for their class, which takes some milliseconds, if one of the libraries
    has been imported.

    Returns:
        What was found.
    """
    engine = _class(*_ENGINE)
    kinds = {kind: is_open for name, is_open in _OPEN.items() if (kind := _class(*name))}
    if engine is None and not kinds:
        return SharedConnections()
    forget: list[Callable[[], object]] = []
    named: list[type] = []
    for one in _instances_of((*kinds, *([engine] if engine is not None else []))):
        named += [kind for kind, is_open in kinds.items() if _holds(one, kind, is_open)]
        if engine is not None and issubclass(type(one), engine) and not _is_in_memory(one):
            forget.append(functools.partial(one.dispose, close=False))
    names = dict.fromkeys(f"{kind.__module__}.{kind.__qualname__}" for kind in named)
    return SharedConnections(
        forget=tuple(forget),
        warnings=tuple(
            f"an open {name} of this process is shared with each instance that is forked from it, "
            f"and two processes on one connection break it; {_FIX}"
            for name in names
        ),
    )


def _class(module: str, name: str) -> type | None:
    """Return a class if its module has been imported."""
    found = getattr(sys.modules.get(module), name, None)
    return found if isinstance(found, type) else None


def _instances_of(kinds: tuple[type, ...]) -> Iterator[Any]:
    # by its type: a proxy's `__class__` may do anything
    return (one for one in gc.get_objects() if issubclass(type(one), kinds))


def _holds(one: object, kind: type, is_open: Callable[[Any], bool]) -> bool:
    return isinstance(one, kind) and is_open(one)


def _is_in_memory(engine: Any) -> bool:  # noqa: ANN401 (of a library that need not be installed)
    """Tell whether an engine's database is in this process's memory, and so in the snapshot."""
    if engine.dialect.name != "sqlite":
        return False
    database = engine.url.database or ""
    return database in {"", ":memory:"} or "mode=memory" in str(engine.url)
