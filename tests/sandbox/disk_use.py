"""What instances do with a disk of their own; nothing of pytest's, which each would import."""

# What `os` does is what is tested, so it is not done with pathlib.
# ruff: noqa: PTH103, PTH116, PTH118, PTH120, PTH123, PTH208
from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import socket
from pathlib import Path

from attacks import outcome_of

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def look(folder: str) -> dict[str, tuple[object, ...]]:
    """Read all that is in a folder, as an instance sees it."""
    found: dict[str, tuple[object, ...]] = {}
    for path in (Path(folder), *sorted(Path(folder).rglob("*"))):
        status = path.lstat()
        content = b""
        if path.is_symlink():
            content = os.fsencode(path.readlink())
        elif path.is_file():
            content = path.read_bytes()
        shown = str(path.relative_to(folder))
        found[shown] = (status.st_mode, status.st_size, status.st_mtime_ns, content)
    return found


def write_and_read(path: str) -> str:
    Path(path).write_text("changed", encoding="utf-8")
    return read(path)


def read(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


def append_and_look(path: str) -> tuple[int, int]:
    with open(path, "a", encoding="utf-8") as file:
        file.write("more")
    return os.stat(path).st_uid, os.stat(path).st_size


def remove_and_make_again(folder: str) -> list[str]:
    shutil.rmtree(folder)
    os.makedirs(folder)
    return os.listdir(folder)


def write_at(folders: list[str]) -> dict[str, str]:
    return {folder: outcome_of(os.mkdir, os.path.join(folder, "made")) for folder in folders}


def modes(paths: list[str]) -> list[int]:
    return [os.stat(path).st_mode for path in paths]


def fill(path: str) -> tuple[int, str]:
    """Write until nothing more fits."""
    written = 0
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                written += file.write(b"x" * PAGE_BYTES)
        except OSError as error:
            return written, errno.errorcode[error.errno or 0]


def make_a_lock() -> str:
    with multiprocessing.get_context("fork").Lock():
        return "locked"


def bind_and_connect(path: str) -> bytes:
    os.chdir(os.path.dirname(path))
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind("socket")
        server.listen()
        client.connect("socket")
        connection, _ = server.accept()
        with connection:
            client.send(b"tea")
            return connection.recv(3)


def move_from_tmp(target: str) -> list[str]:
    Path("/tmp/part").write_text("whole", encoding="utf-8")
    renamed = outcome_of(os.rename, "/tmp/part", target)
    shutil.move("/tmp/part", target)
    return [renamed, read(target)]


def mounts_that_can_be_written() -> list[tuple[str, str]]:
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    rows = [(line.partition(" - ")[0].split(), line.partition(" - ")[2].split()) for line in lines]
    return sorted((left[4], right[0]) for left, right in rows if left[5].startswith("rw"))
