# What the filesystem does is what is tested, so some of it is not done with pathlib.
# ruff: noqa: PTH108, PTH109, PTH110, PTH115, PTH120, PTH123, PTH208
from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_stateless.errors import ServiceError
from pytest_stateless.model.observed import compare
from pytest_stateless.service.paths.service import PathService

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_stateless.service.protocol import Service


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "var"
    made.mkdir()
    return made


@pytest.fixture
def service(folder: Path) -> Iterator[PathService]:
    made = PathService(str(folder), "var")
    yield made
    made.close()


def state_of(folder: Path) -> dict[str, object]:
    """Everything there, with permissions and times."""
    found: dict[str, object] = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        status = path.lstat()
        content: object = None
        if path.is_symlink():
            content = os.readlink(path)
        elif path.is_file():
            content = path.read_bytes()
        found[str(path)] = (oct(status.st_mode), status.st_mtime_ns, content)
    return found


def age() -> None:
    """Let no file look as if it had just been changed."""
    time.sleep(0.05)


def make_database(path: Path, *, wal: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    if wal:
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE seats (name TEXT PRIMARY KEY, by TEXT)")
    connection.execute("INSERT INTO seats VALUES ('1B', 'bob'), ('1A', 'ann')")
    return connection


def rows(path: Path) -> list[tuple[str, str]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT name, by FROM seats ORDER BY name").fetchall()


def test_it_is_a_service(folder: Path) -> None:
    service: Service = PathService(str(folder), "var")
    assert service.name == "var"
    assert service.environment() == {}


def test_what_came_later_is_gone_and_what_was_removed_is_back(
    service: PathService, folder: Path
) -> None:
    (folder / "a").write_text("a")
    (folder / "deep/er").mkdir(parents=True)
    (folder / "deep/er/b").write_text("b")
    (folder / "link").symlink_to("a")
    (folder / "dangling").symlink_to("nothing")
    (folder / "empty").mkdir(mode=0o750)
    (folder / "a").chmod(0o640)
    os.utime(folder / "a", ns=(1, 2))
    before, inode = state_of(folder), folder.stat().st_ino
    state = service.snapshot()

    (folder / "a").write_text("changed")
    (folder / "a").chmod(0o600)
    (folder / "deep/er/b").unlink()
    (folder / "deep/er").rmdir()
    (folder / "later/still").mkdir(parents=True)
    (folder / "later/still/c").write_text("c")
    (folder / "link").unlink()
    (folder / "link").symlink_to("elsewhere")
    (folder / "dangling").unlink()
    (folder / "dangling").write_text("a file now")
    (folder / "empty").rmdir()
    (folder / "empty").write_text("a file now")
    folder.chmod(0o700)
    service.restore(state)

    assert state_of(folder) == before
    assert folder.stat().st_ino == inode


def test_a_state_can_be_put_back_any_number_of_times(service: PathService, folder: Path) -> None:
    (folder / "a").write_text("one")
    one = service.snapshot()
    (folder / "a").write_text("two")
    two = service.snapshot()
    for _ in range(2):
        service.restore(one)
        assert (folder / "a").read_text() == "one"
        service.restore(two)
        assert (folder / "a").read_text() == "two"


def test_a_state_that_is_let_go_of_leaves_no_copy_and_others_stay(
    service: PathService, folder: Path
) -> None:
    (folder / "a").write_text("one")
    one, two = service.snapshot(), service.snapshot()
    service.forget(one)
    service.forget(one)
    assert not Path(one.copy).parent.exists()
    with pytest.raises(ServiceError, match="with its copy is gone"):
        service.restore(one)
    (folder / "a").write_text("changed")
    service.restore(two)
    assert (folder / "a").read_text() == "one"


def test_a_change_of_the_same_size_at_once_is_put_back(service: PathService, folder: Path) -> None:
    (folder / "a").write_text("one")
    state = service.snapshot()
    (folder / "a").write_text("two")
    service.restore(state)
    assert (folder / "a").read_text() == "one"


def test_a_change_that_hides_its_time_is_put_back(service: PathService, folder: Path) -> None:
    (folder / "a").write_text("one")
    age()
    state = service.snapshot()
    times = (folder / "a").stat()
    (folder / "a").write_text("two")
    os.utime(folder / "a", ns=(times.st_atime_ns, times.st_mtime_ns))
    service.restore(state)
    assert (folder / "a").read_text() == "one"


def test_what_has_not_changed_is_not_touched(service: PathService, folder: Path) -> None:
    (folder / "a").write_text("one")
    age()
    state = service.snapshot()
    before = (folder / "a").stat()
    service.restore(state)
    after = (folder / "a").stat()
    assert (after.st_ino, after.st_ctime_ns) == (before.st_ino, before.st_ctime_ns)


def test_who_has_a_file_open_sees_what_was_put_back(service: PathService, folder: Path) -> None:
    (folder / "a").write_text("one")
    state = service.snapshot()
    with open(folder / "a", "r+") as file:
        file.write("changed")
        file.flush()
        service.restore(state)
        file.seek(0)
        assert file.read() == "one"


def test_a_file_that_was_replaced_by_another_ones_second_name_leaves_that_alone(
    service: PathService, folder: Path, tmp_path: Path
) -> None:
    (folder / "a").write_text("one")
    (tmp_path / "other").write_text("other")
    state = service.snapshot()
    (folder / "a").unlink()
    (folder / "a").hardlink_to(tmp_path / "other")
    service.restore(state)
    assert (folder / "a").read_text() == "one"
    assert (tmp_path / "other").read_text() == "other"


def test_folders_that_nobody_may_enter_are_removed_and_put_back(
    service: PathService, folder: Path
) -> None:
    (folder / "closed").mkdir()
    (folder / "closed/a").write_text("a")
    (folder / "closed/a").chmod(0o400)
    (folder / "closed").chmod(0o500)
    before = state_of(folder)
    state = service.snapshot()
    (folder / "closed").chmod(0o700)
    (folder / "closed/a").unlink()
    (folder / "closed").chmod(0)
    (folder / "later").mkdir()
    (folder / "later/b").touch()
    (folder / "later").chmod(0)
    service.restore(state)
    assert state_of(folder) == before


def test_pipes_and_sockets_are_kept_and_put_back(service: PathService, folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    here = os.getcwd()
    os.chdir(folder)  # a socket's path is short
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind("socket")
    os.chdir(here)
    state = service.snapshot()
    assert service.observe() == {"pipe": "pipe", "socket": "socket"}
    os.unlink(folder / "pipe")
    os.unlink(folder / "socket")
    service.restore(state)
    assert stat.S_ISFIFO((folder / "pipe").stat().st_mode)
    assert stat.S_ISSOCK((folder / "socket").stat().st_mode)


def test_closing_removes_every_copy_and_leaves_the_path(
    service: PathService, folder: Path, tmp_path: Path
) -> None:
    (folder / "a").write_text("one")
    folder.chmod(0o500)
    states = [service.snapshot(), service.snapshot()]
    service.close()
    service.close()
    assert not any(os.path.exists(os.path.dirname(state.copy)) for state in states)
    assert (folder / "a").read_text() == "one"
    assert sorted(os.listdir(tmp_path)) == ["var"]
    with pytest.raises(ServiceError, match="with its copy is gone"):
        service.restore(states[0])


def test_a_file_is_observed_by_its_hash_a_link_by_its_target(
    service: PathService, folder: Path
) -> None:
    (folder / "sub").mkdir()
    (folder / "sub/a").write_text("one")
    (folder / "none").mkdir()
    (folder / "link").symlink_to("sub")
    assert service.observe() == {
        "link": {"link": "sub"},
        "none/": "empty",
        "sub/a": {
            "bytes": 3,
            "sha256": "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed",
        },
    }


@pytest.mark.parametrize("wal", (False, True))
def test_a_database_is_observed_by_its_rows_in_the_order_of_their_keys(
    service: PathService, folder: Path, *, wal: bool
) -> None:
    with contextlib.closing(make_database(folder / "x.db", wal=wal)) as connection:
        connection.execute("CREATE TABLE log (what TEXT, blob BLOB)")
        connection.execute("INSERT INTO log VALUES ('z', NULL), ('a', x'00ff')")
        connection.execute("CREATE TABLE pairs (a, b, c, PRIMARY KEY (b, a))")
        connection.execute("INSERT INTO pairs VALUES (2, 1, 1.5), (1, 1, 0)")
        files = sorted(os.listdir(folder))
        before = state_of(folder)
        seen = service.observe()
        assert state_of(folder) == before
    assert files == (["x.db", "x.db-shm", "x.db-wal"] if wal else ["x.db"])
    assert isinstance(seen, dict)
    assert list(seen) == ["x.db"]
    tables = seen["x.db"]["tables"]
    assert list(tables["seats"].items()) == [
        ("'1A'", {"name": "1A", "by": "ann"}),
        ("'1B'", {"name": "1B", "by": "bob"}),
    ]
    assert list(tables["pairs"]) == ["1, 1", "1, 2"]
    digest = "06eb7d6a69ee19e5fbdf749018d3d2abfa04bcbd1365db312eb86dc7169389b8"
    assert tables["log"] == [
        {"what": "a", "blob": {"bytes": 2, "sha256": digest}},
        {"what": "z", "blob": None},
    ]
    assert seen["x.db"]["schema"]["log"] == "CREATE TABLE log (what TEXT, blob BLOB)"


def test_the_order_of_inserts_into_a_table_with_a_key_makes_no_difference(
    service: PathService, folder: Path
) -> None:
    make_database(folder / "x.db").close()
    one = service.observe()
    with contextlib.closing(sqlite3.connect(folder / "x.db")) as connection:
        connection.execute("DELETE FROM seats")
        connection.execute("INSERT INTO seats VALUES ('1A', 'ann')")
        connection.execute("INSERT INTO seats VALUES ('1B', 'eve')")
        connection.commit()
    assert [d.path for d in compare(one, service.observe())] == ["x.db.tables.seats.'1B'.by"]


def test_a_database_in_wal_mode_that_nobody_has_open_stays_without_other_files(
    service: PathService, folder: Path
) -> None:
    make_database(folder / "x.db", wal=True).close()
    before = state_of(folder)
    service.observe()
    assert state_of(folder) == before
    assert sorted(os.listdir(folder)) == ["x.db"]


def test_a_transaction_that_was_cut_off_is_observed_as_rolled_back(
    service: PathService, folder: Path
) -> None:
    make_database(folder / "x.db").close()
    code = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")
connection.execute("BEGIN")
connection.execute("DELETE FROM seats")
connection.execute("CREATE TABLE more (x)")
connection.executemany("INSERT INTO more VALUES (?)", [("x" * 4000,)] * 50)
os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", code, str(folder / "x.db")], check=False)
    before = state_of(folder)
    assert (folder / "x.db-journal").stat().st_size
    seen = service.observe()
    assert isinstance(seen, dict)
    assert list(seen["x.db"]["tables"]) == ["seats"]
    assert len(seen["x.db"]["tables"]["seats"]) == 2
    assert state_of(folder) == before


@pytest.mark.parametrize("wal", (False, True))
def test_a_database_is_put_back_beneath_who_has_it_open(
    service: PathService, folder: Path, *, wal: bool
) -> None:
    code = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for line in sys.stdin:
    print(connection.execute(line).fetchall(), flush=True)
"""
    make_database(folder / "x.db", wal=wal).close()
    user = subprocess.Popen(
        [sys.executable, "-c", code, str(folder / "x.db")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert user.stdin is not None
    assert user.stdout is not None

    def ask(statement: str) -> str:
        assert user.stdin is not None
        assert user.stdout is not None
        user.stdin.write(statement + "\n")
        user.stdin.flush()
        return user.stdout.readline().strip()

    with user:
        ask("INSERT INTO seats VALUES ('1C', 'eve')")
        state = service.snapshot()
        for name in ("1D", "1E"):
            ask(f"INSERT INTO seats VALUES ('{name}', 'dan')")  # noqa: S608 (two names of ours)
            assert ask("SELECT count(*) FROM seats") == "[(4,)]"
            service.restore(state)
            assert ask("SELECT count(*) FROM seats") == "[(3,)]"
        ask("INSERT INTO seats VALUES ('1F', 'fay')")
        assert rows(folder / "x.db")[2:] == [("1C", "eve"), ("1F", "fay")]
        ask("BEGIN IMMEDIATE")
        with pytest.raises(ServiceError, match=f"process {user.pid} is in the middle of a trans"):
            service.restore(state)
        assert ask("ROLLBACK") == "[]"
        user.stdin.close()
    service.restore(state)
    assert [name for name, _ in rows(folder / "x.db")] == ["1A", "1B", "1C"]
    with contextlib.closing(sqlite3.connect(folder / "x.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_wal_that_came_later_is_gone_with_its_rows(service: PathService, folder: Path) -> None:
    make_database(folder / "x.db", wal=True).close()
    state = service.snapshot()
    code = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("DELETE FROM seats")
os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", code, str(folder / "x.db")], check=False)
    assert (folder / "x.db-wal").stat().st_size
    service.restore(state)
    assert sorted(os.listdir(folder)) == ["x.db"]
    assert len(rows(folder / "x.db")) == 2


def test_a_declared_file_is_a_service_with_what_sqlite_puts_beside_it(folder: Path) -> None:
    (folder / "other").write_text("other")
    with (
        contextlib.closing(make_database(folder / "x.db", wal=True)) as connection,
        contextlib.closing(PathService(str(folder / "x.db"))) as service,
    ):
        state = service.snapshot()
        seen = service.observe()
        assert isinstance(seen, dict)
        assert list(seen) == ["x.db"]
        connection.execute("DELETE FROM seats")
        (folder / "other").write_text("changed")
        service.restore(state)
        assert len(rows(folder / "x.db")) == 2
        assert connection.execute("SELECT count(*) FROM seats").fetchone() == (2,)
        assert (folder / "other").read_text() == "changed"


def test_a_declared_file_may_be_still_to_come(folder: Path) -> None:
    with contextlib.closing(PathService(str(folder / "x.db"))) as service:
        state = service.snapshot()
        assert service.observe() == {}
        make_database(folder / "x.db").close()
        assert service.observe() != {}
        service.restore(state)
        assert os.listdir(folder) == []


def test_a_declared_link_stands_for_what_it_leads_to(folder: Path, tmp_path: Path) -> None:
    (folder / "real").write_text("one")
    (tmp_path / "link").symlink_to(folder / "real")
    with contextlib.closing(PathService(str(tmp_path / "link"))) as service:
        state = service.snapshot()
        (folder / "real").write_text("two")
        service.restore(state)
    assert (folder / "real").read_text() == "one"


def test_a_path_that_does_not_exist_is_named(tmp_path: Path) -> None:
    service = PathService(str(tmp_path / "no/such"))
    for method in (service.snapshot, service.observe):
        with pytest.raises(ServiceError, match="no/such does not exist; make it before"):
            method()


def test_a_path_that_goes_in_the_middle_is_named(service: PathService, folder: Path) -> None:
    state = service.snapshot()
    folder.rmdir()
    with pytest.raises(ServiceError, match="service path var"):
        service.restore(state)


def test_a_device_is_named() -> None:
    service = PathService("/dev/null")
    for method in (service.snapshot, service.observe):
        with pytest.raises(ServiceError, match="/dev/null is neither a file nor a folder"):
            method()


@pytest.mark.skipif(os.getuid() != 0, reason="an ordinary user cannot make a device")
def test_a_device_in_a_folder_is_named(service: PathService, folder: Path) -> None:
    os.mknod(folder / "null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    for method in (service.snapshot, service.observe):
        with pytest.raises(ServiceError, match="var/null is a device"):
            method()


def test_a_file_that_cannot_be_read_is_named(
    service: PathService, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "secret").write_text("x")
    refused = os.strerror(13)

    really_open = open

    def refuse(path: str | int, mode: str = "r", buffering: int = -1) -> object:
        if str(path).endswith("secret"):
            raise PermissionError(13, refused, path)
        return really_open(path, mode, buffering)

    monkeypatch.setattr("builtins.open", refuse)
    for method in (service.snapshot, service.observe):
        with pytest.raises(
            ServiceError, match=f"service path var cannot be .*{refused} of .*secret"
        ):
            method()


def test_a_database_that_is_damaged_is_named(service: PathService, folder: Path) -> None:
    (folder / "x.db").write_bytes(b"SQLite format 3\0" + b"nonsense" * 100)
    with pytest.raises(ServiceError, match=r"x\.db cannot be read: sqlite says"):
        service.observe()


def test_files_that_only_look_like_sqlites_are_files(service: PathService, folder: Path) -> None:
    (folder / "notes").write_text("x")
    (folder / "notes-wal").write_text("y")
    (folder / "z-shm").write_text("z")
    state = service.snapshot()
    seen = service.observe()
    assert isinstance(seen, dict)
    assert list(seen) == ["notes", "notes-wal", "z-shm"]
    (folder / "notes-wal").unlink()
    (folder / "z-shm").write_text("changed")
    service.restore(state)
    assert service.observe() == seen
