from __future__ import annotations

import ctypes
import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from attacks import LIBC, check

if TYPE_CHECKING:
    from pytest_stateless.session.stateless import Stateless

pytest_plugins = ("sealed_instances",)

IPC_CREAT = 0o1000
KEY = 0x57A7E1E5
TABLES = ("/proc/sysvipc/shm", "/proc/sysvipc/sem", "/proc/sysvipc/msg")


def tables() -> list[int]:
    """Count the entries of the kernel's tables, without the line of titles."""
    lines = (Path(path).read_text(encoding="ascii").splitlines() for path in TABLES)
    return [len(table) - 1 for table in lines]


def make_one_of_each() -> list[int]:
    check(LIBC.shmget(KEY, ctypes.c_size_t(4096), IPC_CREAT | 0o600))
    check(LIBC.semget(KEY, 1, IPC_CREAT | 0o600))
    check(LIBC.msgget(KEY, IPC_CREAT | 0o600))
    return tables()


def test_shared_memory_semaphores_and_queues_go_with_their_instance(stateless: Stateless) -> None:
    before = tables()
    assert stateless.call(make_one_of_each) == [1, 1, 1]
    assert stateless.call(tables) == [0, 0, 0]
    assert tables() == before


def open_queue(name: bytes) -> int:
    librt = ctypes.CDLL(None, use_errno=True)
    function = getattr(librt, "mq_open", None) or ctypes.CDLL("librt.so.1", use_errno=True).mq_open
    descriptor: int = function(name, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600, None)
    return check(descriptor)


def test_a_message_queue_is_new_to_the_next_instance(stateless: Stateless) -> None:
    name = f"/{uuid.uuid4().hex}".encode()
    assert stateless.call(open_queue, name) > 2
    assert stateless.call(open_queue, name) > 2  # O_EXCL: an old one would be an error
    assert not Path("/dev/mqueue", name.decode().strip("/")).exists()
