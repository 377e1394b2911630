from __future__ import annotations

import sqlite3
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

needs_monitoring = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="sys.monitoring is new in Python 3.12"
)
LIBRARY = "lib/site-packages/keeper.py"


def database(folder: Path, *, wal: bool = False) -> bytes:
    path = folder / "made.db"
    connection = sqlite3.connect(path)
    if wal:
        connection.execute("pragma journal_mode=wal")
    connection.execute("create table entries(text)")
    connection.execute("insert into entries values ('first')")
    connection.commit()
    connection.close()
    return path.read_bytes()


def app_of(statement: str, imports: str = "os, sqlite3") -> str:
    return f"import {imports}\ndef main():\n    {statement}\n"


@pytest.mark.parametrize(
    ("statement", "operation", "path"),
    (
        ("open('db.json', 'w')", "open('db.json', 'w')", "db.json"),
        ("open('db.json', 'a+')", "open('db.json', 'a+')", "db.json"),
        ("open('new.bin', 'wb')", "open('new.bin', 'w')", "new.bin"),
        ("open(b'db.json', 'r+')", "open('db.json', 'r+')", "db.json"),
        ("os.open('n', os.O_WRONLY | os.O_CREAT)", "os.open('n', os.O_WRONLY | os.O_CREAT)", "n"),
        ("os.mkdir('uploads')", "os.mkdir('uploads')", "uploads"),
        ("os.makedirs('uploads/a/b')", "os.mkdir('uploads')", "uploads"),
        ("os.remove('db.json')", "os.remove('db.json')", "db.json"),
        ("os.rename('db.json', 'b')", "os.rename('db.json', 'b')", "b"),
        ("os.rmdir('data')", "os.rmdir('data')", "data"),
        ("os.symlink('db.json', 'link')", "os.symlink('db.json', 'link')", "link"),
        ("os.link('db.json', 'hard')", "os.link('db.json', 'hard')", "hard"),
        ("os.truncate('db.json', 0)", "os.truncate('db.json')", "db.json"),
        ("os.chmod('db.json', 0o600)", "os.chmod('db.json', 0o600)", "db.json"),
        ("os.utime('db.json')", "os.utime('db.json')", "db.json"),
        ("os.setxattr('db.json', 'user.a', b'1')", "os.setxattr('db.json')", "db.json"),
        ("os.remove('x', dir_fd=os.open('data', 0))", "os.remove('x')", "data/x"),
        ("sqlite3.connect('app.db')", "sqlite3.connect('app.db')", "app.db"),
        ("sqlite3.connect('file:app.db', uri=True)", "sqlite3.connect('file:app.db')", "app.db"),
    ),
)
def test_a_refused_write_is_seen_with_its_place(
    watch: Callable[..., Any], statement: str, operation: str, path: str
) -> None:
    seen = watch(app_of(statement), files={"db.json": "{}", "data/x": ""})

    write = seen.write
    assert write["operation"] == operation
    assert write["path"] == str(seen.project / path)
    assert write["outcome"] == "refused"
    assert write["phase"] == "request"
    assert write["reached_first_party"] is True
    first = next(frame for frame in write["stack"] if frame["is_first_party"])
    assert (first["path"], first["line"]) == (str(seen.project / "app.py"), 3)
    assert first["source"] == statement


@pytest.mark.parametrize(
    "statement",
    (
        "open('db.json', 'w')",
        "os.rename('db.json', 'b')",
        "os.mkdir('uploads')",
        "os.rename('/tmp/x', 'db.json')",
        "sqlite3.connect('app.db')",
        "__import__('socket').socket(1).bind('sock')",
    ),
)
def test_the_error_reads_as_the_interpreter_shows_it(
    watch: Callable[..., Any], statement: str
) -> None:
    app = f"import os, sqlite3\nopen('/tmp/x', 'w').close()\ndef main():\n    {statement}\n"

    seen = watch(app, files={"db.json": "{}"})

    assert seen.stderr.strip().endswith(seen.write["error"])


def test_a_write_that_the_app_swallows_is_seen(watch: Callable[..., Any]) -> None:
    seen = watch("""
        import contextlib
        def main():
            with contextlib.suppress(OSError):
                open('db.json', 'w')
    """)

    assert seen.write["reached_first_party"] is True


def test_a_retry_loop_is_one_write_and_two_lines_are_two(watch: Callable[..., Any]) -> None:
    seen = watch("""
        import contextlib
        def main():
            for _ in range(5):
                with contextlib.suppress(OSError):
                    open('db.json', 'w')
            with contextlib.suppress(OSError):
                open('db.json', 'w')
    """)

    assert [write["stack"][0]["line"] for write in seen.writes] == [6, 8]


def test_a_touch_is_one_write(watch: Callable[..., Any]) -> None:
    app = "from pathlib import Path\ndef main():\n    Path('db.json').touch()\n"

    seen = watch(app, files={"db.json": ""})

    assert seen.write["path"].endswith("/db.json")


def test_a_write_at_import_has_the_phase_start(watch: Callable[..., Any]) -> None:
    seen = watch("""
        try:
            open('log.txt', 'a')
        except OSError:
            pass
        def main(): ...
    """)

    assert seen.write["phase"] == "start"


@pytest.mark.parametrize(
    "statement",
    (
        "os.makedirs('data', exist_ok=True)",
        "os.mkdir('data')",
        "open('missing/file', 'w')",
        "open('data', 'w')",
        "open('/dev/null', 'w')",
        "open('/dev/stdout', 'w')",
        "open('/proc/self/comm', 'w').write('x')",
        "open('/tmp/free', 'w')",
        "os.open('db.json', os.O_CREAT)",
        "os.open('db.json', os.O_CREAT | os.O_EXCL | os.O_WRONLY)",
        "os.open('f', os.O_CREAT | os.O_WRONLY, dir_fd=os.open('/tmp', 0))",
        "os.mkdir('/tmp/a'); os.rename('/tmp/a', '/tmp/b'); os.rmdir('/tmp/b')",
        "open('db.json').read()",
        "__import__('tempfile').TemporaryFile().write(b'x')",
        "os.truncate('missing', 0)",
        "__import__('py_compile').compile('app.py', doraise=False)",
        "sqlite3.connect(':memory:').execute('create table t(a)')",
        "sqlite3.connect('').execute('create table t(a)')",
        "sqlite3.connect('file::memory:', uri=True).execute('create table t(a)')",
        "sqlite3.connect('file:none.db?mode=ro', uri=True)",
        "sqlite3.connect('missing/app.db')",
        "sqlite3.connect('/tmp/app.db').execute('create table t(a)')",
    ),
)
def test_what_is_no_refused_write_is_no_write(watch: Callable[..., Any], statement: str) -> None:
    seen = watch(app_of(statement), files={"db.json": "{}", "data/x": ""})

    assert seen.writes == []


def test_deleting_what_does_not_exist_counts_only_if_the_error_gets_out(
    watch: Callable[..., Any],
) -> None:
    seen = watch("""
        import contextlib, os
        def main():
            with contextlib.suppress(OSError):
                os.remove('stale.lock')
            try:
                os.remove('stale.pid')
            except FileNotFoundError:
                pass
    """)

    assert seen.write["path"].endswith("/stale.pid")


def test_nothing_is_seen_on_a_writable_disk(watch: Callable[..., Any]) -> None:
    app = app_of("open('db.json', 'w').close(); os.mkdir('d'); sqlite3.connect('a.db')")

    seen = watch(app, is_sealed=False)

    assert seen.writes == []
    assert (seen.project / "db.json").exists()


@pytest.mark.parametrize(
    ("statement", "operation"),
    (
        ("insert into entries values ('secret')", "insert into entries (sqlite app.db)"),
        ("-- why\n DELETE FROM entries", "DELETE FROM entries (sqlite app.db)"),
        ("CREATE TABLE IF NOT EXISTS more(a)", "CREATE TABLE IF NOT EXISTS more (sqlite app.db)"),
        ('UPDATE "entries" SET text = 1', 'UPDATE "entries" (sqlite app.db)'),
        ("PRAGMA user_version = 3", "PRAGMA user_version (sqlite app.db)"),
        ("PRAGMA journal_mode = wal", "PRAGMA journal_mode (sqlite app.db)"),
        ("WITH x AS (SELECT 1) INSERT INTO entries SELECT * FROM x", "WITH (sqlite app.db)"),
    ),
)
def test_a_statement_that_writes_a_bundled_database_is_seen(
    watch: Callable[..., Any], tmp_path: Path, statement: str, operation: str
) -> None:
    app = app_of(f"sqlite3.connect('app.db').execute({statement!r})")

    seen = watch(app, files={"app.db": database(tmp_path)})

    assert seen.write["operation"] == operation
    assert seen.write["path"] == str(seen.project / "app.db")
    assert seen.stderr.strip().endswith(seen.write["error"])
    assert seen.reads() == ["app.db"]


@pytest.mark.parametrize(
    "statement",
    (
        "SELECT * FROM entries",
        "CREATE TABLE IF NOT EXISTS entries(text)",
        "DROP TABLE IF EXISTS missing",
        "PRAGMA user_version",
        "PRAGMA foreign_keys = on",
        "BEGIN IMMEDIATE",
        "CREATE TEMP TABLE scratch(a)",
    ),
)
def test_a_statement_that_only_reads_is_no_write(
    watch: Callable[..., Any], tmp_path: Path, statement: str
) -> None:
    app = app_of(f"sqlite3.connect('app.db', isolation_level=None).execute({statement!r})")

    seen = watch(app, files={"app.db": database(tmp_path)})

    assert seen.writes == []
    assert "Error" not in seen.stderr


def test_a_temporary_table_can_be_written(watch: Callable[..., Any], tmp_path: Path) -> None:
    seen = watch(
        """
        import sqlite3
        def main():
            connection = sqlite3.connect('app.db')
            connection.execute('create temp table scratch(a)')
            connection.execute('insert into scratch values (1)')
            connection.commit()
        """,
        files={"app.db": database(tmp_path)},
    )

    assert seen.writes == []
    assert "Error" not in seen.stderr


def test_a_database_left_in_wal_mode_cannot_even_be_read(
    watch: Callable[..., Any], tmp_path: Path
) -> None:
    app = app_of("sqlite3.connect('app.db').execute('select * from entries')")

    seen = watch(app, files={"app.db": database(tmp_path, wal=True)})

    assert seen.write["error"] == "unable to open database file"
    assert seen.stderr.strip().endswith(seen.write["error"])


def test_an_apps_own_trace_callback_still_works(watch: Callable[..., Any], tmp_path: Path) -> None:
    seen = watch(
        """
        import sqlite3
        def main():
            said = []
            connection = sqlite3.connect('app.db')
            connection.set_trace_callback(said.append)
            connection.execute('select 1')
            assert said == ['select 1']
            connection.execute('insert into entries values (1)')
        """,
        files={"app.db": database(tmp_path)},
    )

    assert seen.write["path"] == str(seen.project / "app.db")


@pytest.mark.parametrize("work", ("direct", "wrapped"))
def test_an_error_that_comes_out_of_a_thread_belongs_to_the_threads_write(
    watch: Callable[..., Any], tmp_path: Path, work: str
) -> None:
    library = """
        def work(connection):
            try:
                connection.execute("insert into entries values (1)")
            except Exception as error:
                raise RuntimeError("no insert") from error
    """
    app = """
        import concurrent.futures, sqlite3
        import wrapping
        def direct():
            sqlite3.connect("app.db").execute("insert into entries values (1)")
        def wrapped():
            wrapping.work(sqlite3.connect("app.db"))
        def main():
            with concurrent.futures.ThreadPoolExecutor() as pool:
                pool.submit(WORK).result()
    """

    files = {"app.db": database(tmp_path), "lib/site-packages/wrapping.py": library}
    seen = watch(app.replace("WORK", work), files=files)

    assert seen.write["operation"] == "insert into entries (sqlite app.db)"


def test_a_write_in_a_thread_without_first_party_frames_is_anchored_where_its_error_comes_out(
    watch: Callable[..., Any],
) -> None:
    seen = watch("""
        import concurrent.futures, pathlib
        def main():
            with concurrent.futures.ThreadPoolExecutor() as pool:
                job = pool.submit(pathlib.Path("a.txt").write_text, "x")
                job.result()
    """)

    assert not any(frame["is_first_party"] for frame in seen.write["stack"])
    assert seen.write["anchor"]["line"] == 6
    assert seen.write["anchor"]["source"] == "job.result()"


@pytest.mark.parametrize(
    "text",
    (
        "from django.db import connection\n    connection.cursor().execute(sql)",
        (
            "from sqlalchemy import create_engine as make, text\n"
            "    make('sqlite:///app.db').connect().execute(text(sql))"
        ),
    ),
)
def test_a_write_through_an_orm_is_seen(
    watch: Callable[..., Any], tmp_path: Path, text: str
) -> None:
    sql = "insert into entries values (1)"
    pytest.importorskip("django" if "django" in text else "sqlalchemy")
    app = (
        "try:\n    from django.conf import settings\n"
        "    settings.configure(DATABASES={'default': {\n"
        "        'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'app.db'}})\n"
        "except ImportError:\n    pass\n"
        f"def main():\n    sql = {sql!r}\n    {text}\n"
    )

    seen = watch(app, files={"app.db": database(tmp_path)})

    assert seen.write["operation"] == "insert into entries (sqlite app.db)"
    assert seen.write["reached_first_party"] is True


def test_a_dbm_file_is_seen(watch: Callable[..., Any]) -> None:
    seen = watch("""
        import shelve
        def main():
            with shelve.open('shelf') as shelf:
                shelf['a'] = 1
    """)

    assert seen.writes
    assert all(write["path"].startswith(str(seen.project / "shelf")) for write in seen.writes)


def test_a_call_without_an_audit_event_is_seen_by_its_error(watch: Callable[..., Any]) -> None:
    seen = watch(app_of("os.mkfifo('pipe')"))

    assert seen.write["operation"] == "os.mkfifo('pipe')"
    assert seen.write["error"] == "[Errno 30] Read-only file system"


@needs_monitoring
def test_a_swallowed_error_without_an_audit_event_is_seen(watch: Callable[..., Any]) -> None:
    seen = watch(
        """
        import contextlib, os
        def main():
            with contextlib.suppress(OSError):
                os.mkfifo('pipe')
            with contextlib.suppress(OSError):
                os.open('f', os.O_CREAT | os.O_WRONLY, dir_fd=os.open('data', 0))
    """,
        files={"data/x": ""},
    )

    assert [write["stack"][0]["line"] for write in seen.writes] == [5, 7]


@pytest.mark.parametrize("is_caught", (False, True))
def test_a_full_tmp_is_seen(watch: Callable[..., Any], *, is_caught: bool) -> None:
    if is_caught and sys.version_info < (3, 12):
        pytest.skip("a swallowed error is only seen with sys.monitoring")
    handler = "OSError" if is_caught else "KeyError"

    seen = watch(f"""
        def main():
            try:
                with open('/tmp/big', 'wb') as file:
                    file.write(b'x' * 1_000_000)
            except {handler}:
                pass
    """)

    assert seen.write["outcome"] == "full"
    assert seen.write["path"] in {"/tmp/big", "/tmp"}
    assert seen.write["error"] == "[Errno 28] No space left on device"


def test_a_database_in_a_full_tmp_is_seen(watch: Callable[..., Any]) -> None:
    seen = watch("""
        import sqlite3
        def main():
            connection = sqlite3.connect('/tmp/a.db')
            connection.execute('create table t(a)')
            connection.execute('insert into t values (zeroblob(1000000))')
            connection.commit()
    """)

    assert seen.write["outcome"] == "full"
    assert seen.write["error"] == "database or disk is full"


def test_a_library_that_falls_back_keeps_its_error(watch: Callable[..., Any]) -> None:
    seen = watch(
        "import keeper\ndef main():\n    keeper.keep()\n",
        files={
            LIBRARY: """
            def keep():
                try:
                    open('cache.bin', 'wb')
                except OSError:
                    pass
            """
        },
    )

    assert seen.write["reached_first_party"] is False
    assert seen.write["stack"][0]["path"].endswith("keeper.py")


@pytest.mark.parametrize("wrapped", ("raise", "raise RuntimeError('cannot keep') from error"))
def test_a_library_that_lets_its_error_out_is_told_from_one_that_does_not(
    watch: Callable[..., Any], wrapped: str
) -> None:
    seen = watch(
        "import keeper\ndef main():\n    keeper.keep()\n",
        files={
            LIBRARY: f"""
            def keep():
                try:
                    open('cache.bin', 'wb')
                except OSError as error:
                    {wrapped}
            """
        },
    )

    assert seen.write["reached_first_party"] is True


def test_a_library_that_writes_by_itself_is_anchored_where_it_was_configured(
    watch: Callable[..., Any],
) -> None:
    seen = watch(
        """
        import threading
        import session_plugin as plugin
        session = plugin.Session('filesystem')
        def main():
            thread = session.start()
            thread.join()
        """,
        files={
            "lib/site-packages/session_plugin.py": """
            import threading, filestore
            class Session:
                def __init__(self, kind): ...
                def start(self):
                    thread = threading.Thread(target=self.save)
                    thread.start()
                    return thread
                def save(self):
                    filestore.store()
            """,
            "lib/site-packages/filestore.py": """
            import contextlib
            def store():
                with contextlib.suppress(OSError):
                    open('session', 'wb')
            """,
        },
    )

    anchor = seen.write["anchor"]
    assert (anchor["path"], anchor["line"]) == (str(seen.project / "app.py"), 4)
    assert anchor["source"] == "session = plugin.Session('filesystem')"


def test_data_files_that_are_read_are_listed_and_code_is_not(watch: Callable[..., Any]) -> None:
    seen = watch(
        """
        import json, other, os
        def main():
            json.load(open('db.json'))
            open('missing')
        """,
        files={"db.json": "{}", "other.py": "x = 1"},
    )

    assert seen.reads() == ["db.json"]
