"""Writes to a disk of the instance's own: nothing fails, and what was changed is seen."""

from __future__ import annotations

import sqlite3
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILES = {"db.json": "[1]", "inbox/mail": "hi", "lib/site-packages/keeper.py": ""}


def app_of(*statements: str, before: str = "") -> str:
    lines = "\n".join(f"    {statement}" for statement in statements)
    return f"import os, sqlite3, json, contextlib, shutil\n{before}\ndef main():\n{lines}\n"


def database(folder: Path) -> bytes:
    path = folder / "made.db"
    connection = sqlite3.connect(path)
    connection.execute("create table entries(text primary key)")
    connection.execute("insert into entries values ('first')")
    connection.commit()
    connection.close()
    return path.read_bytes()


@pytest.mark.parametrize(
    ("statement", "operation", "path"),
    (
        ("open('db.json', 'w').write('[]')", "open('db.json', 'w')", "db.json"),
        ("open('db.json', 'a').write('x')", "open('db.json', 'a')", "db.json"),
        ("open('db.json', 'r+').write('xyz')", "open('db.json', 'r+')", "db.json"),
        ("open('new', 'w').close()", "open('new', 'w')", "new"),
        ("os.truncate('db.json', 0)", "os.truncate('db.json')", "db.json"),
        ("os.remove('db.json')", "os.remove('db.json')", "db.json"),
        ("os.replace('inbox/mail', 'read')", "os.rename('inbox/mail', 'read')", "read"),
        ("sqlite3.connect('a.db').execute('create table t(a)')", "sqlite3.connect('a.db')", "a.db"),
    ),
)
def test_a_write_is_seen_as_allowed(
    watch: Callable[..., Any], statement: str, operation: str, path: str
) -> None:
    seen = watch(app_of(statement), files=FILES, has_disk=True)
    write = seen.writes[0]
    assert (write["operation"], write["outcome"]) == (operation, "allowed")
    assert write["path"] == str(seen.project / path)
    assert write["error"] == ""
    assert (write["stack"][0]["line"], write["stack"][0]["function"]) == (4, "main")


@pytest.mark.parametrize(
    "statement",
    (
        "open('scratch', 'w').close(); os.remove('scratch')",
        "open('db.json', 'r+').read()",
        "open('db.json', 'a').close()",
        "open('db.json').read()",
        "os.makedirs('uploads/deep')",
        "os.chmod('db.json', 0o600)",
        "os.utime('db.json')",
        "os.symlink('db.json', 'link')",
        "open('/tmp/x', 'w').close()",
        "open('/dev/null', 'w').close()",
        "os.makedirs('__pycache__'); open('__pycache__/a.pyc', 'w').write('x')",
        "contextlib.suppress(OSError).__enter__() or open('inbox', 'w') if 0 else None",
        "sqlite3.connect('missing.db')",
        "sqlite3.connect(':memory:').execute('create table t(a)')",
        "sqlite3.connect('made.db').execute('select * from entries').fetchall()",
        "sqlite3.connect('made.db').execute('create table if not exists entries(text)')",
    ),
)
def test_what_changes_no_file_is_not_seen(
    watch: Callable[..., Any], tmp_path: Path, statement: str
) -> None:
    files = {**FILES, "made.db": database(tmp_path)}
    # what was written just now could have been written again within a tick of the clock
    aged = "import time; time.sleep(0.05)"
    seen = watch(app_of(statement, before=aged), files=files, has_disk=True)
    assert seen.writes == []


def test_a_write_that_another_error_stops_is_not_seen(watch: Callable[..., Any]) -> None:
    app = """
        import contextlib, time
        time.sleep(0.05)
        def main():
            for path in ("inbox", "missing/x", "db.json/x"):
                with contextlib.suppress(OSError):
                    open(path, "w")
            with contextlib.suppress(OSError):
                open("db.json", "x")
    """
    assert watch(app, files=FILES, has_disk=True).writes == []


def test_a_temporary_file_that_takes_another_s_place_is_one_write(
    watch: Callable[..., Any],
) -> None:
    seen = watch(
        app_of("open('db.tmp', 'w').write('[]')", "os.replace('db.tmp', 'db.json')"),
        files=FILES,
        has_disk=True,
    )
    assert seen.write["operation"] == "os.rename('db.tmp', 'db.json')"


def test_a_second_write_to_the_same_file_is_seen_in_its_own_request(
    watch: Callable[..., Any],
) -> None:
    app = app_of("open('db.json', 'w').write('[0]')")
    seen = watch(app, files=FILES, has_disk=True, requests=2)
    assert [len(request["writes"]) for request in seen.requests] == [1, 1]


def test_a_write_at_import_has_the_phase_start(watch: Callable[..., Any]) -> None:
    seen = watch(app_of("pass", before="open('log', 'w').close()"), files=FILES, has_disk=True)
    assert seen.write["phase"] == "start"


@pytest.mark.parametrize(
    "statement",
    (
        "INSERT INTO entries VALUES ('a')",
        "UPDATE entries SET text = 'b'",
        "DELETE FROM entries",
        "REPLACE INTO entries VALUES ('c')",
    ),
)
@pytest.mark.parametrize("wal", (False, True))
def test_a_statement_that_changes_a_database_is_seen(
    watch: Callable[..., Any], tmp_path: Path, statement: str, *, wal: bool
) -> None:
    mode = "pragma journal_mode=wal" if wal else "select 1"
    app = f"""
        import sqlite3
        def main():
            connection = sqlite3.connect("made.db")
            connection.execute({mode!r})
            connection.execute({statement!r})
            connection.commit()
            connection.close()
    """
    seen = watch(app, files={"made.db": database(tmp_path)}, has_disk=True)
    operations = [write["operation"] for write in seen.writes if write["stack"][0]["line"] == 6]
    verb, name = statement.split(maxsplit=1)[0], "entries"
    assert len(operations) == 1
    assert operations[0].startswith(verb)
    assert f"{name} (sqlite made.db)" in operations[0]


def test_rows_of_a_database_that_a_request_makes_are_seen(watch: Callable[..., Any]) -> None:
    app = app_of(
        "connection = sqlite3.connect('a.db')",
        "connection.execute('CREATE TABLE t(a)')",
        "connection.execute('INSERT INTO t VALUES (1)')",
        "connection.commit()",
    )
    seen = watch(app, has_disk=True)
    assert [write["operation"] for write in seen.writes] == [
        "sqlite3.connect('a.db')",
        "CREATE TABLE t (sqlite a.db)",
        "INSERT INTO t (sqlite a.db)",
    ]


def test_the_kernel_s_refusal_of_a_move_to_another_filesystem_takes_the_place_of_the_guess(
    watch: Callable[..., Any],
) -> None:
    app = app_of("open('/tmp/part', 'w').close()", "os.rename('/tmp/part', 'whole')")
    seen = watch(app, has_disk=True)
    assert seen.write["outcome"] == "refused"
    assert seen.write["error"].startswith("[Errno 18]")


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is new in Python 3.12")
def test_a_disk_that_is_full_is_told_with_the_file(watch: Callable[..., Any]) -> None:
    app = """
        def main():
            with open("big", "wb", buffering=0) as file:
                while True:
                    file.write(b"x" * 4096)
    """
    seen = watch(app, has_disk=True)
    full = [write for write in seen.writes if write["outcome"] == "full"]
    assert [write["path"] for write in full] == [str(seen.project / "big")]


def test_a_library_s_write_below_the_app_says_so(watch: Callable[..., Any]) -> None:
    keeper = "def keep():\n    open('kept', 'w').write('x')\n"
    seen = watch(
        "import keeper\ndef main():\n    keeper.keep()\n",
        files={"lib/site-packages/keeper.py": keeper},
        has_disk=True,
    )
    assert not seen.write["reached_first_party"]
    assert [frame["is_first_party"] for frame in seen.write["stack"][:2]] == [False, True]


def test_without_a_disk_of_its_own_nothing_is_taken_for_allowed(
    watch: Callable[..., Any],
) -> None:
    app = app_of("open('/tmp/x', 'w').close()", "open('db.json', 'w')")
    assert [write["outcome"] for write in watch(app, files=FILES).writes] == ["refused"]
