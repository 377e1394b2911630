"""The files of a sqlite database: which they are, whether somebody has it open, what it holds.

A database in WAL mode has two more files. What is committed may be in `-wal` alone. `-shm` is an
index of that, which every connection maps into memory and which says nothing by itself: with its
header zeroed, each connection makes it anew before its next transaction, and forgets its pages.

Source: https://www.sqlite.org/fileformat2.html (header), https://www.sqlite.org/walformat.html
(the index's header, two copies of 48 bytes and 40 bytes of checkpoint information, and its locks),
`os_unix.c` (the lock bytes of the file, UNIX_SHM_DMS).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import struct
import sys
import tempfile
from typing import TYPE_CHECKING
from urllib.parse import quote

from pytest_stateless.errors import ServiceError
from pytest_stateless.service.paths.copies import copy

if TYPE_CHECKING:
    from pytest_stateless.model.observed import Observed

JOURNAL, WAL, INDEX = "-journal", "-wal", "-shm"
COMPANIONS = (JOURNAL, WAL, INDEX)
"""What sqlite puts beside a database: the ends of the names."""

_MAGIC = b"SQLite format 3\0"
_INDEX_HEADER_BYTES = 136
_FILE_LOCKS = (0x40000000, 512)
_INDEX_LOCKS = (120, 8)
_INDEX_OPEN = (128, 1)
_FLOCK = "hhqqi"  # short l_type, l_whence; off_t l_start, l_len; pid_t l_pid


def is_database(path: str) -> bool:
    """Tell whether a file is a sqlite database.

    Args:
        path: A regular file.

    Returns:
        False for one that nothing was ever written to.

    Raises:
        OSError: It cannot be read.
    """
    with open(path, "rb", buffering=0) as file:
        return file.read(len(_MAGIC)) == _MAGIC


def database_of(path: str) -> str:
    """Find the database that a file belongs to.

    Args:
        path: The file.

    Returns:
        The database's path; empty where the file is no companion of one.

    Raises:
        OSError: What may be one cannot be read.
    """
    for end in COMPANIONS:
        base = path.removesuffix(end)
        if base != path and os.path.isfile(base):
            is_young = os.path.getsize(base) == 0
            return base if is_young or is_database(base) else ""
    return ""


def check_unused(path: str) -> None:
    """Check that no other process is in the middle of a transaction.

    Args:
        path: A database.

    Raises:
        ServiceError: One is.
        OSError: It cannot be read.
    """
    # in WAL mode whoever has it open holds a lock of the file, in a transaction or not
    has_index = os.path.exists(path + INDEX)
    file, locks = (path + INDEX, _INDEX_LOCKS) if has_index else (path, _FILE_LOCKS)
    holder = _holder(file, *locks)
    if holder:
        raise ServiceError(
            f"{path} cannot be put back: process {holder} is in the middle of a transaction; "
            "commit or roll back before the response"
        )


def is_open(path: str) -> bool:
    """Tell whether somebody has a database open in WAL mode, this process or another one.

    Args:
        path: The database.

    Returns:
        Whether its index is in use.

    Raises:
        OSError: The index cannot be read.
    """
    with contextlib.suppress(OSError):  # not on every system
        for name in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/self/fd/{name}") == path + INDEX:
                    return True
    return bool(_holder(path + INDEX, *_INDEX_OPEN))


def invalidate_index(path: str) -> None:
    """Have every connection read a database's `-wal` anew before its next transaction.

    Args:
        path: The database.

    Raises:
        OSError: The index cannot be written.
    """
    with open(path + INDEX, "r+b", buffering=0) as file:
        file.write(bytes(_INDEX_HEADER_BYTES))


def _holder(path: str, start: int, length: int) -> int:
    """Return the id of another process that holds a lock there; 0 if none does."""
    if not sys.platform.startswith("linux") or not os.path.exists(path):
        return 0
    import fcntl  # noqa: PLC0415 (exists on Unix only)

    wanted = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)
    with open(path, "rb", buffering=0) as file:
        kind, _, _, _, pid = struct.unpack(
            _FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, wanted)[: struct.calcsize(_FLOCK)]
        )
    return 0 if kind == fcntl.F_UNLCK else pid or -1


def observe_database(path: str) -> Observed:
    """Return what a sqlite database holds: its schema, and of each table the rows.

    Args:
        path: The database. Neither it nor anything beside it is changed: where `-wal` or
            `-journal` have something to say, a copy of the files is read.

    Returns:
        The rows by their primary key, in its order; of a table that has none a sorted list.

    Raises:
        ServiceError: sqlite cannot read it.
        OSError: A file of it cannot be read.
    """
    pending = [end for end in (JOURNAL, WAL) if _size(path + end)]
    try:
        if not pending:
            # nothing is written between two looks, and in WAL mode sqlite would make an index
            return _read(f"file:{quote(path)}?mode=ro&immutable=1")
        with tempfile.TemporaryDirectory(prefix="stateless-") as folder:
            aside = os.path.join(folder, "database")
            for end in ("", *pending):
                copy(path + end, aside + end)
            return _read(f"file:{quote(aside)}?mode=rw")
    except sqlite3.Error as error:
        raise ServiceError(f"{path} cannot be read: sqlite says {error}") from error


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except FileNotFoundError:
        return 0


def _read(uri: str) -> Observed:
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
        connection.text_factory = lambda text: text.decode(errors="surrogateescape")
        made = connection.execute(
            "SELECT type, name, sql FROM sqlite_master"
            " WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY type, name"
        ).fetchall()
        return {
            "schema": {name: sql for _, name, sql in made},
            # the content of a virtual table is in tables of its own
            "tables": {
                name: _rows(connection, name)
                for kind, name, sql in made
                if kind == "table" and not sql.upper().startswith("CREATE VIRTUAL")
            },
        }


def _rows(connection: sqlite3.Connection, table: str) -> Observed:
    name = _quoted(table)
    columns = connection.execute(f"PRAGMA table_info({name})").fetchall()
    keys = [column[1] for column in sorted(columns, key=lambda one: one[5]) if column[5]]
    order = f" ORDER BY {', '.join(map(_quoted, keys))}" if keys else ""
    cursor = connection.execute(f"SELECT * FROM {name}{order}")  # noqa: S608 (quoted)
    names = [description[0] for description in cursor.description]
    rows = [{n: _value(v) for n, v in zip(names, row, strict=True)} for row in cursor]
    by_key = {", ".join(repr(row[key]) for key in keys): row for row in rows}
    if keys and len(by_key) == len(rows):
        return by_key
    return sorted(rows, key=repr)


def _value(value: object) -> Observed:
    if isinstance(value, bytes):
        return {"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()}
    return value


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
