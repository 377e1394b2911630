# What `os` does is what is tested, so it is not done with pathlib.
# ruff: noqa: PTH101, PTH104, PTH109, PTH111, PTH123, PTH208
from __future__ import annotations

import errno
import multiprocessing
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from each_isolation import settings_of, under_each_isolation

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from sealed_instances import Sealed
    from watched_host import Host

    from pytest_stateless.model.isolation import IsolationName
    from pytest_stateless.session.stateless import Stateless

pytest_plugins = ("sealed_instances",)
pytestmark = under_each_isolation

TMP_BYTES = 8 << 20
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


# /tmp


def list_and_litter() -> list[str]:
    found = os.listdir("/tmp")
    Path("/tmp/left").write_text("x", encoding="utf-8")
    return found


def test_tmp_is_empty_and_private_for_each_instance(stateless: Stateless) -> None:
    # what lies below /tmp and is needed stays visible: the path to the suite's own folder
    first = stateless.call(list_and_litter)
    assert "left" not in first
    assert stateless.call(list_and_litter) == first
    assert not Path("/tmp/left").exists()


def test_tmp_is_kept_while_an_instance_is_warm(stateless: Stateless) -> None:
    with stateless.warm():
        stateless.call(list_and_litter)
        assert "left" in stateless.call(list_and_litter)


def fill_tmp() -> tuple[int, str]:
    """Write until nothing more fits."""
    written = 0
    with open("/tmp/big", "wb", buffering=0) as file:
        try:
            while True:
                written += file.write(b"x" * PAGE_BYTES)
        except OSError as error:
            return written, errno.errorcode[error.errno or 0]


def test_tmp_holds_exactly_its_size(sealed: Sealed, isolation: IsolationName) -> None:
    sealed.platform.configure(settings_of(isolation, tmp_size="8 MB"))
    assert sealed.platform.settings.platform.tmp_bytes == TMP_BYTES
    assert sealed.stateless.call(fill_tmp) == (TMP_BYTES, "ENOSPC")


def use_tmp() -> str:
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        file.write("x")
    folder = tempfile.mkdtemp()
    path = Path(folder, "db.sqlite3")
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("create table entry (text)")
        connection.execute("insert into entry values ('tea')")
    (row,) = connection.execute("select text from entry").fetchall()
    connection.close()
    os.chmod(path, 0o600)
    os.utime(path, (1, 1))
    os.rename(path, folder + "/moved")
    os.mkfifo(folder + "/fifo")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(folder + "/socket")
    subprocess.run(["sh", "-c", "echo more >>moved"], check=True, cwd=folder)
    return str(row[0])


def test_tmp_takes_everything_that_a_filesystem_takes(stateless: Stateless) -> None:
    assert stateless.call(use_tmp) == "tea"


# the rest of the tree


def access(paths: list[str]) -> list[bool]:
    return [os.access(path, os.W_OK) for path in paths]


def test_access_tells_the_truth(stateless: Stateless, host: Host) -> None:
    paths = ["/", host.scene.folder, host.scene.file, os.path.expanduser("~"), "/dev/shm"]
    assert stateless.call(access, paths) == [False] * len(paths)
    assert stateless.call(access, ["/tmp"]) == [True]


def read(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


def test_what_the_test_has_written_is_read(stateless: Stateless, host: Host) -> None:
    (host.folder / "note").write_text("from the test", encoding="utf-8")
    assert stateless.call(read, str(host.folder / "note")) == "from the test"


def test_root_reads_what_only_another_user_may_read(stateless: Stateless, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "note").write_text("secret", encoding="utf-8")
    if os.geteuid() == 0:
        os.chown(closed, 65534, 65534)
    assert stateless.call(read, str(closed / "note")) == "secret"


# processes, threads, sockets, devices


def use_threads() -> int:
    found: list[int] = []
    threads = [threading.Thread(target=found.append, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(found)


def test_threads_work(stateless: Stateless) -> None:
    assert stateless.call(use_threads) == 28


def greet(pipe: Connection) -> None:
    pipe.send(f"hello from a child of {os.getppid()}")


def use_multiprocessing() -> bool:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=greet, args=(theirs,))
    process.start()
    said = ours.recv()
    process.join()
    return bool(said == f"hello from a child of {os.getpid()}" and process.exitcode == 0)


def test_a_forked_process_and_a_pipe_work(stateless: Stateless) -> None:
    assert stateless.call(use_multiprocessing)


def make_a_lock() -> str:
    try:
        multiprocessing.get_context("fork").Lock()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "made"


def test_a_lock_of_multiprocessing_fails_for_want_of_shared_memory(stateless: Stateless) -> None:
    assert stateless.call(make_a_lock) == "EROFS"


def use_loopback() -> bytes:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        connection, _ = server.accept()
        with client, connection:
            client.send(b"tea")
            return connection.recv(3)


def test_sockets_on_loopback_work(stateless: Stateless) -> None:
    assert stateless.call(use_loopback) == b"tea"


def use_devices() -> list[object]:
    with open("/dev/null", "wb") as null:
        null.write(b"x")
    with open("/dev/urandom", "rb") as urandom, open("/dev/zero", "rb") as zero:
        lengths = [len(urandom.read(8)), zero.read(2)]
    try:
        Path("/dev/full").write_bytes(b"x")
    except OSError as error:
        return [*lengths, errno.errorcode[error.errno or 0]]
    return [*lengths, "written"]


def test_devices_work(stateless: Stateless) -> None:
    assert stateless.call(use_devices) == [8, b"\0\0", "ENOSPC"]


def use_memory_file() -> bytes:
    descriptor = os.memfd_create("scratch")
    os.write(descriptor, b"tea")
    return os.pread(descriptor, 3, 0)


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="this C library has no memfd_create")
def test_memory_files_work(stateless: Stateless) -> None:
    assert stateless.call(use_memory_file) == b"tea"


def interrupt_itself() -> str:
    import signal

    try:
        os.kill(os.getpid(), signal.SIGINT)
        signal.pause()
    except KeyboardInterrupt:
        return "interrupted"
    return "not interrupted"


def test_signals_do_to_an_instance_what_they_do_to_a_program(stateless: Stateless) -> None:
    assert stateless.call(interrupt_itself) == "interrupted"


def ask_a_program() -> str:
    program = "import os, sys; print(os.getcwd(), sys.prefix)"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_a_program_runs_with_the_test_s_working_directory_and_interpreter(
    stateless: Stateless,
) -> None:
    assert stateless.call(ask_a_program) == f"{os.getcwd()} {sys.prefix}"
