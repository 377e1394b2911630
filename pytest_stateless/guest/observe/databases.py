"""What sqlite is asked to write: creating a database, and statements that change one.

sqlite writes below Python, so no audit event shows it. Connecting is one: a database that does
not exist is created then. For one that exists, every statement is traced before it runs, and
`EXPLAIN` on a second, read-only connection tells whether its program begins a write transaction
on the main database (or turns to WAL mode, which is refused alike). So `CREATE TABLE IF NOT
EXISTS` of an existing table, temporary tables and
`BEGIN IMMEDIATE` (which sqlite turns into a read on a read-only file) are no writes.

On a disk of the instance's own nothing is refused, and the same is seen: a database that is made
there, and statements that change one. There the second connection must see what the first has
committed, so it is not told that nothing changes.

Source: https://www.sqlite.org/opcode.html (Transaction: P1 is the database, P2 non-zero for a
write); `sqlite3BeginTransaction` in build.c.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_stateless.guest.observe.attempts import Attempt
from pytest_stateless.guest.observe.paths import is_read_only, is_regular, resolve, text_of

if TYPE_CHECKING:
    import sqlite3

    from pytest_stateless.guest.observe.disk import OwnDisk

WRITING = frozenset({
    "ALTER", "ANALYZE", "CREATE", "DELETE", "DROP", "INSERT", "PRAGMA", "REINDEX", "REPLACE",
    "UPDATE", "VACUUM", "WITH",
})  # fmt: skip
READ_ONLY_ERROR = "attempt to write a readonly database"
OPEN_ERROR = "unable to open database file"
_JOURNAL_WAL = 5
_COMMENT = re.compile(r"\s+|--[^\n]*(?:\n|$)|/\*.*?\*/", re.DOTALL)
_NAME = r"(?:\"[^\"]*\"|`[^`]*`|\[[^\]]*\]|[\w.]+)"
_HEAD = re.compile(
    rf"""(?:INSERT(?:\s+OR\s+\w+)?\s+INTO|REPLACE\s+INTO|UPDATE(?:\s+OR\s+\w+)?|DELETE\s+FROM
    |(?:CREATE|DROP)(?:\s+UNIQUE)?(?:\s+VIRTUAL)?\s+(?:TABLE|INDEX|VIEW|TRIGGER)
     (?:\s+IF(?:\s+NOT)?\s+EXISTS)?
    |ALTER\s+TABLE|PRAGMA)\s+{_NAME}""",
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """What a call of `sqlite3.connect` names.

    Attributes:
        shown: As the call gave it.
        path: Absolute path of the file.
        can_write: Whether the connection is made for writing.
        can_create: Whether connecting creates the file.
        is_immutable: Whether sqlite was told that nothing ever changes the file.
    """

    shown: str
    path: str
    can_write: bool = True
    can_create: bool = True
    is_immutable: bool = False


def database_of(argument: object) -> Database | None:
    """Read the argument of `sqlite3.connect`.

    Args:
        argument: A path or a `file:` URI.

    Returns:
        The database, or None for one in memory.
    """
    shown = text_of(argument)
    if not shown or shown == ":memory:":
        return None
    if not shown.startswith("file:"):
        path = resolve(shown)
        return Database(shown=shown, path=path) if path else None
    return _of_uri(shown)


def _of_uri(uri: str) -> Database | None:
    from urllib.parse import parse_qs, unquote  # noqa: PLC0415 (rare, and not cheap to import)

    location, _, query = uri.removeprefix("file:").partition("#")[0].partition("?")
    options = {name: values[-1] for name, values in parse_qs(query).items()}
    mode = options.get("mode", "rwc")
    if location.startswith("//"):
        location = "/" + location[2:].partition("/")[2]
    name = unquote(location)
    path = resolve(name) if name and name != ":memory:" and mode != "memory" else None
    if path is None or "vfs" in options:
        return None
    is_immutable = options.get("immutable", "0") not in {"0", "off", "no", "false"}
    return Database(
        shown=uri,
        path=path,
        can_write=mode != "ro" and not is_immutable,
        can_create=mode == "rwc",
        is_immutable=is_immutable,
    )


def creation_of(database: Database, disk: OwnDisk | None = None) -> Attempt | None:
    """Tell whether using a connection creates a file on a read-only disk, or on the instance's own.

    Args:
        database: What is connected to.
        disk: The instance's own disk, if it has one.

    Returns:
        The attempt, or None.
    """
    real = os.path.realpath(database.path)
    folder, path = os.path.dirname(real), database.path
    is_refused = is_read_only(folder)
    if not is_refused and (disk is None or not disk.takes(folder)):
        return None
    if os.path.lexists(real) and not is_refused:
        return None
    if os.path.lexists(real):
        if database.is_immutable or not _lacks_wal_index(real):
            return None
        path += "-shm"
    elif not (database.can_write and database.can_create):
        return None
    return Attempt(
        operation=f"sqlite3.connect({database.shown!r})",
        path=path,
        error=OPEN_ERROR if is_refused else "",
        names=(database.shown,),
        is_database=True,
        outcome="refused" if is_refused else "allowed",
    )


def _lacks_wal_index(path: str) -> bool:
    # https://www.sqlite.org/fileformat2.html: offsets 18 and 19 are 2 for a file in WAL mode
    try:
        with open(path, "rb") as file:
            header = file.read(20)
    except OSError:
        return False
    return header[18:20] == b"\2\2" and not os.path.exists(path + "-shm")


def needs_tracing(database: Database, disk: OwnDisk | None = None) -> bool:
    """Tell whether statements on an open database can be writes that are refused or discarded."""
    if not database.can_write:
        return False
    if disk is not None and disk.has(database.path):
        return True
    return is_regular(database.path) and is_read_only(database.path)


def write_of(database: Database, statement: str, disk: OwnDisk | None = None) -> Attempt | None:
    """Tell whether a statement is going to write.

    Args:
        database: The database, on a read-only disk or on the instance's own.
        statement: SQL with its parameters filled in.
        disk: The instance's own disk, if it has one.

    Returns:
        The attempt; it names what is written to, never a value.
    """
    sql = _without_comment(statement)
    verb = sql.split(None, 1)[0].upper() if sql else ""
    is_allowed = disk is not None and disk.has(database.path)
    if verb not in WRITING or not _begins_write(database.path, sql, verb, is_fixed=not is_allowed):
        return None
    head = _HEAD.match(sql)
    words = " ".join(head.group().split()) if head else verb
    return Attempt(
        operation=f"{words} (sqlite {_short_path(database)})",
        path=database.path,
        error="" if is_allowed else READ_ONLY_ERROR,
        names=(database.shown,),
        is_database=True,
        outcome="allowed" if is_allowed else "refused",
    )


def _short_path(database: Database) -> str:
    """Name a database as the app did, before a library made its path absolute."""
    if not database.shown.startswith(("file:", "/")):
        return database.shown
    folder = os.path.join(os.getcwd(), "")
    return database.path.removeprefix(folder)


def _without_comment(statement: str) -> str:
    start = 0
    while found := _COMMENT.match(statement, start):
        start = found.end()
    return statement[start:]


def _begins_write(path: str, sql: str, verb: str, *, is_fixed: bool) -> bool:
    if verb == "VACUUM":
        return " INTO " not in sql.upper()
    sqlite = sys.modules["sqlite3"]
    from urllib.parse import quote  # noqa: PLC0415 (rare, and not cheap to import)

    options = "mode=ro&immutable=1" if is_fixed else "mode=ro"
    try:
        connection: sqlite3.Connection = sqlite.connect(f"file:{quote(path)}?{options}", uri=True)
    except sqlite.Error:  # a database that no statement has made so far
        return verb in {"CREATE", "PRAGMA"}
    try:
        program = connection.execute(f"EXPLAIN {sql}").fetchall()
    except sqlite.Error as error:
        return _is_write_by_its_looks(verb, sql, str(error))
    finally:
        connection.close()
    return any(
        (row[1] == "Transaction" and row[2] == 0 and row[3])
        or (row[1] == "JournalMode" and row[4] == _JOURNAL_WAL)
        for row in program
    )


def _is_write_by_its_looks(verb: str, sql: str, error: str) -> bool:
    # A table that is not in the file is a temporary or an attached one; functions and collations
    # of the app's own say nothing about the statement.
    if "no such table" in error or verb in {"WITH", "PRAGMA"}:
        return False
    # another connection of the app's is just writing
    is_locked = "locked" in error
    return is_locked or ("no such" in error and " EXISTS" not in sql.upper())
