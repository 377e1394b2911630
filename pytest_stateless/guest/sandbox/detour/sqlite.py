"""Databases of sqlite: in the private folder if the app means `/tmp`, else as on a read-only disk.

sqlite opens files below Python, so its `connect` is what can be detoured. A database that does
not exist cannot be made outside; one that exists is opened for reading, so that statements fail
with the very error of a read-only disk. (`PRAGMA query_only` would be simpler, but turning a
database to WAL mode writes all the same, and `BEGIN IMMEDIATE` fails, which it does not on a
read-only disk.)
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from pytest_stateless.guest.sandbox.detour import real
from pytest_stateless.guest.sandbox.detour.session import SESSION

if TYPE_CHECKING:
    from pytest_stateless.guest.sandbox.detour.guard import Guard

_CANNOT_OPEN = 14
"""SQLITE_CANTOPEN, https://www.sqlite.org/rescode.html."""
_IN_WAL_MODE = b"\2\2"
"""Offsets 18 and 19 of a file in WAL mode, https://www.sqlite.org/fileformat2.html."""


def path_of(database: object) -> str:
    """Return the path that an argument of `connect` names; empty for a database in memory."""
    if not isinstance(database, (str, bytes, os.PathLike)):
        return ""
    text = os.fsdecode(database)
    if text == ":memory:":
        return ""
    if not text.startswith("file:"):
        return text
    from urllib.parse import parse_qs, unquote  # noqa: PLC0415 (rare, and not cheap to import)

    location, _, query = text.removeprefix("file:").partition("#")[0].partition("?")
    options = parse_qs(query)
    if "vfs" in options or options.get("mode") == ["memory"]:
        return ""
    if location.startswith("//"):
        location = "/" + location[2:].partition("/")[2]
    name = unquote(location)
    return "" if name == ":memory:" else name


def check_database(guard: Guard, database: object) -> None:
    """Refuse to connect to what would have to be made.

    Args:
        guard: Knows where this process may write.
        database: The argument of `connect`.

    Raises:
        sqlite3.OperationalError: As sqlite does it.
    """
    name = path_of(database)
    if not name or _reads_only(database):
        return
    path = guard.kernel_path(name)
    if guard.is_read_only(path) and (not os.path.exists(path) or _lacks_wal_index(path)):
        _refuse()


def _reads_only(database: object) -> bool:
    return _is_uri(database) and "mode=ro" in os.fsdecode(database)  # type: ignore[arg-type] # a text


def _refuse() -> NoReturn:
    error = sys.modules["_sqlite3"].OperationalError("unable to open database file")
    error.sqlite_errorcode = _CANNOT_OPEN
    error.sqlite_errorname = "SQLITE_CANTOPEN"
    raise error


def connect(original: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 (sqlite's)
    """Stand in for `sqlite3.connect`.

    Args:
        original: The function itself.
        args: Its arguments.
        kwargs: Its arguments by name.

    Returns:
        The connection.
    """
    database, *rest = (kwargs.pop("database"),) if "database" in kwargs else args
    name = path_of(database)
    if not name:
        return original(database, *rest, **kwargs)
    located = SESSION.locate(name)
    if located is not None:
        if SESSION.quota is not None:
            SESSION.quota.distrust()
        return original(_uri(database, located), *rest, **kwargs)
    if not _can_be_read_only(name):
        return original(database, *rest, **kwargs)
    uri = _uri(database if _is_uri(database) else "file:", name, mode="ro")
    connection = original(uri, *rest, **{**kwargs, "uri": True})
    # an observer shall see what the app has asked for
    sys.audit("sqlite3.connect", database)
    return connection


def _can_be_read_only(name: str) -> bool:
    """Tell whether a database exists, on a disk that counts as read-only, and can be read."""
    guard = SESSION.guard
    if guard is None:
        return False
    path = guard.kernel_path(name)
    return guard.is_read_only(path) and os.path.isfile(path) and not _lacks_wal_index(path)


def _lacks_wal_index(path: str) -> bool:
    """Tell whether reading a database would make a file beside it."""
    try:
        with real.open_file(path, "rb") as file:
            header = file.read(20)
    except OSError:
        return False
    return header[18:20] == _IN_WAL_MODE and not os.path.exists(path + "-shm")


def _is_uri(database: object) -> bool:
    return isinstance(database, (str, bytes)) and os.fsdecode(database).startswith("file:")


def _uri(database: object, path: str, mode: str = "") -> str:
    """Name another path in the way that an argument names one."""
    if not _is_uri(database):
        return path
    from urllib.parse import parse_qsl, quote, urlencode  # noqa: PLC0415 (as above)

    options = dict(parse_qsl(os.fsdecode(database).partition("#")[0].partition("?")[2]))  # type: ignore[arg-type] # a text
    if mode:
        options["mode"] = mode
    query = urlencode(options)
    return f"file:{quote(os.path.abspath(path))}" + (f"?{query}" if query else "")
