from __future__ import annotations

import contextlib
import importlib.util
import os
import selectors
import signal
import time
from typing import TYPE_CHECKING

import anyio
import pytest

from pytest_stateless.instance.drive import run, run_async
from pytest_stateless.instance.handle import Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_stateless.instance.handle import Steps

BACKENDS = [
    "asyncio",
    pytest.param(
        "trio",
        marks=pytest.mark.skipif(
            importlib.util.find_spec("trio") is None, reason="trio is not installed"
        ),
    ),
]
each_backend = pytest.mark.parametrize("backend", BACKENDS)
each_driver = pytest.mark.parametrize("drive", (run, lambda steps: anyio.run(run_async, steps)))


class Pipe:
    """A pipe to wait for, and a note of whether the computation has cleaned up."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.reader, selectors.EVENT_READ)
        self.is_tidy = False
        self.on_wait: Callable[[], object] = bool

    def wait(self, timeout_s: float | None) -> Wait:
        assert isinstance(self.selector, selectors.EpollSelector)
        return Wait(fileno=self.selector.fileno(), selector=self.selector, timeout_s=timeout_s)

    def read(self, timeout_s: float | None = None) -> Steps[bytes]:
        """Wait once, and read what is there."""
        os.set_blocking(self.reader, False)
        self.on_wait()
        try:
            yield self.wait(timeout_s)
            try:
                return os.read(self.reader, 100)
            except BlockingIOError:
                return b"nothing"
        finally:
            self.is_tidy = True

    def close(self) -> None:
        self.selector.close()
        os.close(self.reader)
        os.close(self.writer)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    with contextlib.closing(Pipe()) as pipe:
        yield pipe


@each_driver
def test_a_computation_that_waits_for_nothing_gives_its_result(
    drive: Callable[[Steps[str]], str],
) -> None:
    def steps() -> Steps[str]:
        yield from ()
        return "done"

    assert drive(steps()) == "done"


@each_driver
def test_a_wait_ends_when_the_descriptor_is_ready(
    drive: Callable[[Steps[bytes]], bytes], pipe: Pipe
) -> None:
    os.write(pipe.writer, b"data")
    assert drive(pipe.read()) == b"data"


@each_driver
def test_a_wait_ends_when_its_time_is_over(
    drive: Callable[[Steps[bytes]], bytes], pipe: Pipe
) -> None:
    started = time.monotonic()
    assert drive(pipe.read(timeout_s=0.05)) == b"nothing"
    assert time.monotonic() - started > 0.04, "it did not wait at all"


@each_driver
def test_what_a_computation_raises_comes_out_of_the_driver(
    drive: Callable[[Steps[None]], None], pipe: Pipe
) -> None:
    def steps() -> Steps[None]:
        yield pipe.wait(0.001)
        raise LookupError("here")

    with pytest.raises(LookupError, match="here"):
        drive(steps())


def test_an_interrupted_wait_closes_the_computation(pipe: Pipe) -> None:
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(KeyboardInterrupt):
            run(pipe.read())
    finally:
        signal.signal(signal.SIGALRM, before)
    assert pipe.is_tidy


@each_backend
def test_other_tasks_run_while_one_waits(backend: str, pipe: Pipe) -> None:
    results = []

    async def read() -> None:
        results.append(await run_async(pipe.read()))

    async def main() -> None:
        begun = anyio.Event()
        pipe.on_wait = begun.set
        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await begun.wait()
            os.write(pipe.writer, b"from another task")

    anyio.run(main, backend=backend)
    assert results == [b"from another task"]


@each_backend
def test_a_cancelled_task_closes_its_computation(backend: str, pipe: Pipe) -> None:
    steps = pipe.read()

    async def main() -> None:
        begun = anyio.Event()
        pipe.on_wait = begun.set
        async with anyio.create_task_group() as group:
            group.start_soon(run_async, steps)
            await begun.wait()
            group.cancel_scope.cancel()

    anyio.run(main, backend=backend)
    assert pipe.is_tidy
    with pytest.raises(StopIteration):
        next(steps)


@each_backend
def test_two_tasks_can_wait_at_once(backend: str) -> None:
    results = {}

    async def read(pipe: Pipe, done: anyio.Event) -> None:
        results[pipe] = await run_async(pipe.read())
        done.set()

    async def main(one: Pipe, two: Pipe) -> None:
        begun, done = anyio.Event(), anyio.Event()
        two.on_wait = begun.set
        async with anyio.create_task_group() as group:
            group.start_soon(read, one, anyio.Event())
            group.start_soon(read, two, done)
            await begun.wait()
            os.write(two.writer, b"2")
            await done.wait()
            assert one not in results
            os.write(one.writer, b"1")

    with contextlib.closing(Pipe()) as one, contextlib.closing(Pipe()) as two:
        anyio.run(main, one, two, backend=backend)
        assert results == {one: b"1", two: b"2"}
