"""Which file a refused write shows to be used as a database.

Three signs are enough by themselves: sqlite, dbm or shelve, and a library that is a database in
a file. Everything else needs a data format (`.json`, `.csv`, ...) *and* a sign of use: the same
file was read in this test, or it is appended to or changed in place. A text or a log file is
none, however often it is read.

Careful programs write a temporary file next to the database and rename it; on a read-only disk
the temporary file is refused and the rename never comes. So a temporary name next to a data file
that was read stands for that file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stateless.judge.operation import Action, read_action, read_literals
from pytest_stateless.model.place import frames_within

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from pytest_stateless.model.observation import Write

DATA_SUFFIXES = frozenset({
    *("json", "jsonl", "ndjson", "json5", "csv", "tsv", "xml", "yaml", "yml", "toml"),
    *("pickle", "pkl", "dat", "parquet", "feather", "xlsx"),
    *("db", "db3", "sqlite", "sqlite3"),
})
_TEMPORARY_SUFFIXES = frozenset({"tmp", "temp", "new", "part", "partial", "swp", "bak", "lock"})
_JOURNAL_ENDINGS = ("-journal", "-wal", "-shm")
_FILE_DATABASES = ("/tinydb/", "/pickledb", "/montydb/", "/zodb/", "/unqlite")


def is_sqlite(write: Write) -> bool:
    """Tell whether sqlite made this write."""
    return write.operation.startswith("sqlite3.") or "(sqlite" in write.operation


def is_dbm(write: Write) -> bool:
    """Tell whether dbm or shelve made this write."""
    return write.operation.startswith(("dbm", "shelve", "_gdbm", "_dbm")) or any(
        frame.path.endswith("/shelve.py") or "/dbm/" in frame.path
        for frame in frames_within(write.stack)
    )


def find_database(write: Write, reads: AbstractSet[str]) -> str | None:
    """Find the file that a write shows to be used as a database.

    Args:
        write: An attempt to write that failed.
        reads: Absolute paths of data files that this test has read so far.

    Returns:
        Absolute path of the database, or None if the write shows none.
    """
    if is_sqlite(write):
        return _without_journal(write.path)
    action = read_action(write.operation)
    if not action.changes_content:
        return None
    if is_dbm(write) or any(
        name in frame.path.lower()
        for frame in frames_within(write.stack)
        for name in _FILE_DATABASES
    ):
        return _without_part(write)
    if action is Action.RENAME and (target := _renamed_onto(write, reads)):
        return target
    if _is_data(write.path) and (write.path in reads or action in {Action.APPEND, Action.CHANGE}):
        return write.path
    return _stands_for(write, reads)


def _without_journal(path: str) -> str:
    for ending in _JOURNAL_ENDINGS:
        path = path.removesuffix(ending)
    return path


def _without_part(write: Write) -> str:
    # https://docs.python.org/3/library/dbm.html#module-dbm.dumb: one database is three files
    path = write.path
    if any(frame.path.endswith("/dbm/dumb.py") for frame in frames_within(write.stack)):
        for ending in (".dat", ".dir", ".bak"):
            path = path.removesuffix(ending)
    return path


def _is_data(path: str) -> bool:
    stem, _, suffix = _name(path).rpartition(".")
    return bool(stem) and suffix.lower() in DATA_SUFFIXES


def _renamed_onto(write: Write, reads: AbstractSet[str]) -> str | None:
    literals = read_literals(write.operation)
    ending = "/" + literals[1].removeprefix("./").lstrip("/") if len(literals) > 1 else None
    targets = [
        path
        for path in sorted(reads)
        if _is_data(path) and (path == write.path or (ending and path.endswith(ending)))
    ]
    return targets[0] if targets else None


def _stands_for(write: Write, reads: AbstractSet[str]) -> str | None:
    """Find the data file for which a temporary file was to be made next to it."""
    folder = write.path.rpartition("/")[0]
    neighbours = [
        path for path in sorted(reads) if path.rpartition("/")[0] == folder and _is_data(path)
    ]
    name = _name(write.path)
    for path in neighbours:
        if path != write.path and _is_temporary_name(name, _name(path)):
            return path
    is_tempfile = any(frame.path.endswith("/tempfile.py") for frame in frames_within(write.stack))
    return neighbours[0] if is_tempfile and len(neighbours) == 1 else None


def _is_temporary_name(name: str, database: str) -> bool:
    if database in name:
        return True
    stem, _, suffix = name.rpartition(".")
    return suffix.lower() in _TEMPORARY_SUFFIXES and stem == database.rpartition(".")[0]


def _name(path: str) -> str:
    return path.rpartition("/")[2]
