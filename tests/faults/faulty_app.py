"""A WSGI app with one path for everything that can go wrong in a process."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from wsgiref.types import StartResponse, WSGIEnvironment

FLOOD_BYTES = 50 << 20


def fine() -> None:
    pass


def segfault() -> None:
    ctypes.string_at(0)


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def terminate() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)


def abort() -> None:
    os.abort()


def leave() -> None:
    os._exit(3)


def hang() -> None:
    while True:
        time.sleep(0.01)


def hang_and_refuse_to_end() -> None:
    for number in {*signal.Signals} - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    hang()


def stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def exhaust() -> None:
    hoard = []
    while True:
        hoard.append(os.urandom(1 << 20))


def write_garbage() -> None:
    for descriptor in range(3, 21):
        try:
            os.write(descriptor, b"hello garbage")
        except OSError:
            continue


def close_descriptors() -> None:
    os.closerange(3, 50)


def close_everything() -> None:
    os.closerange(0, 50)


def cover_descriptors() -> None:
    null = os.open("/dev/null", os.O_RDWR)
    for descriptor in range(3, 21):
        os.dup2(null, descriptor)


def flood() -> None:
    line = "x" * 1023 + "\n"
    for _ in range(FLOOD_BYTES // 2048):
        sys.stdout.write(line)
        sys.stderr.write(line)


FAULTS: dict[str, Callable[[], None]] = {
    f"/{function.__name__}": function
    for function in (
        fine,
        segfault,
        kill,
        terminate,
        abort,
        leave,
        hang,
        hang_and_refuse_to_end,
        stop,
        exhaust,
        write_garbage,
        close_descriptors,
        close_everything,
        cover_descriptors,
        flood,
    )
}


def endless() -> Iterator[bytes]:
    while True:
        yield b"x" * 65536


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if path == "/endless":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return endless()
    FAULTS[path]()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
