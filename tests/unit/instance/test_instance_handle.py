from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from played_instance import RECIPE, PlayedInstance, pair

from pytest_stateless.errors import InternalError
from pytest_stateless.instance.drive import run
from pytest_stateless.instance.handle import DeadlinePassed, InstanceGone, InstanceHandle
from pytest_stateless.wire.control import Exited, Fork, Signal
from pytest_stateless.wire.framing import encode
from pytest_stateless.wire.messages import RequestBody, ResponseBody, ResponseStart, Sealed, Started

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_stateless.wire.message import Message

SENT: tuple[Message, ...] = (Sealed(), Started(kind="wsgi"), ResponseBody(blob=bytes(range(256))))
PAST = 0.0
LARGE = 8 << 20


@pytest.fixture
def both() -> Iterator[tuple[InstanceHandle, PlayedInstance]]:
    handle, played = pair()
    yield handle, played
    played.close()
    handle.close()


def descriptors() -> set[str]:
    listed = set(os.listdir("/proc/self/fd"))  # noqa: PTH208 (one descriptor less)
    return {name for name in listed if os.path.exists(f"/proc/self/fd/{name}")}  # noqa: PTH110


def soon() -> float:
    """Return a deadline that is only met if something is wrong."""
    return time.monotonic() + 60


def shortly() -> float:
    """Return a deadline that is waited for."""
    return time.monotonic() + 0.05


def reading(data: bytes) -> InstanceHandle:
    """Make a handle of an instance that wrote `data` to its channel and ended."""
    handle, played = pair()
    played.channel.sendall(data)
    played.close()
    return handle


# messages in


@given(data=st.data())
def test_messages_come_whole_and_in_order_however_they_are_cut(data: st.DataObject) -> None:
    stream = b"".join(map(encode, SENT))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    handle, played = pair()
    with contextlib.closing(handle), contextlib.closing(played):
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            played.channel.sendall(stream[start:end])
            handle.collect_output()
        assert tuple(run(handle.next_message(soon())) for _ in SENT) == SENT


def test_a_message_that_came_before_the_end_is_still_read() -> None:
    with contextlib.closing(reading(encode(Sealed()))) as handle:
        assert run(handle.next_message()) == Sealed()
        with pytest.raises(InstanceGone) as caught:
            run(handle.next_message())
        assert caught.value.garbage == ""


def test_garbage_is_shown_after_the_messages_before_it() -> None:
    with contextlib.closing(reading(encode(Sealed()) + b"hello from libfoo\n")) as handle:
        assert run(handle.next_message()) == Sealed()
        for _ in range(2):  # it stays unreadable
            with pytest.raises(InstanceGone, match="hello from libfoo"):
                run(handle.next_message())


def test_an_end_within_a_message_is_told_from_an_end_between_two() -> None:
    frame = encode(Started(kind="asgi"))
    for size in (1, 10, len(frame) - 1):
        with contextlib.closing(reading(frame[:size])) as handle:
            with pytest.raises(InstanceGone) as caught:
                run(handle.next_message())
            assert caught.value.garbage == "the last message is cut off"


def test_an_instance_that_ends_with_our_message_unread_is_gone_and_no_error(
    both: tuple[InstanceHandle, PlayedInstance],
) -> None:
    handle, played = both
    handle.post(RequestBody(blob=b"x" * 100, is_last=True))
    played.close()  # the kernel makes this a connection reset
    with pytest.raises(InstanceGone) as caught:
        run(handle.next_message())
    assert caught.value.garbage == ""
    handle.post(Sealed())  # nobody is there: dropped
    with pytest.raises(InstanceGone):
        run(handle.next_message())


# messages out


def test_large_messages_cross_each_other_without_a_deadlock(
    both: tuple[InstanceHandle, PlayedInstance],
) -> None:
    handle, played = both
    inbound, outbound = (
        ResponseBody(blob=b"i" * LARGE),
        RequestBody(blob=b"o" * LARGE, is_last=True),
    )
    received = []

    def live() -> None:
        played.send(inbound)  # blocks until the host reads: it reads nothing before
        received.append(played.receive())
        played.send(Sealed())

    handle.post(outbound)
    assert handle._outgoing, "the socket's buffer took it all: nothing is proved"
    instance = threading.Thread(target=live)
    instance.start()
    assert run(handle.next_message(soon())) == inbound
    assert run(handle.next_message(soon())) == Sealed()
    instance.join()
    assert received == [outbound]
    assert not handle._outgoing


def test_what_is_posted_waits_for_no_one_and_leaves_in_order(
    both: tuple[InstanceHandle, PlayedInstance],
) -> None:
    handle, played = both
    bodies = [RequestBody(blob=bytes([n]) * (1 << 20), is_last=n == 5) for n in range(6)]
    for body in bodies:
        handle.post(body)
    received: list[Message] = []

    def live() -> None:
        received.extend(played.receive() for _ in bodies)
        played.send(Sealed())

    instance = threading.Thread(target=live)
    instance.start()
    assert run(handle.next_message(soon())) == Sealed()
    instance.join()
    assert received == bodies


# the end


def test_how_an_instance_ended_comes_through_the_exit_pipe(
    both: tuple[InstanceHandle, PlayedInstance],
) -> None:
    handle, played = both
    assert not handle.has_ended()
    exited = Exited(status=9, survivors=("sleep 99", "café \udce9"), peak_bytes=5)
    played.exit_with(exited)
    assert run(handle.await_exit(soon())) == exited
    assert handle.has_ended()
    assert handle.exited == exited


def test_an_exit_pipe_that_closes_in_silence_tells_that_nobody_knows(
    both: tuple[InstanceHandle, PlayedInstance],
) -> None:
    handle, played = both
    played.close()
    assert run(handle.await_exit(soon())) is None
    assert handle.has_ended()


def test_another_message_on_the_exit_pipe_is_a_bug_of_ours(
    both: tuple[InstanceHandle, PlayedInstance],
) -> None:
    handle, played = both
    os.write(played.exit, encode(Sealed()))
    played.close()
    with pytest.raises(InternalError, match="expected Exited, the zygote sent Sealed"):
        run(handle.await_exit(soon()))


def test_output_is_kept_apart_and_outlives_the_instance(
    both: tuple[InstanceHandle, PlayedInstance],
) -> None:
    handle, played = both
    os.write(played.stdout, b"out ")
    os.write(played.stderr, b"err")
    handle.collect_output()
    os.write(played.stdout, b"put")
    played.exit_with(Exited(status=0))
    run(handle.await_exit(soon()))
    assert (bytes(handle.output.stdout), bytes(handle.output.stderr)) == (b"out put", b"err")


def test_an_instance_of_a_dead_zygote_is_gone_from_the_start() -> None:
    played = PlayedInstance(has_died=True)
    handle = InstanceHandle(1, RECIPE, played)
    with contextlib.closing(played), contextlib.closing(handle):
        handle.post(Sealed())
        with pytest.raises(InstanceGone):
            run(handle.next_message(soon()))
        assert run(handle.await_exit(soon())) is None


# deadlines


def test_a_deadline_ends_the_wait_for_a_message(
    both: tuple[InstanceHandle, PlayedInstance],
) -> None:
    handle, played = both
    with pytest.raises(DeadlinePassed):
        run(handle.next_message(shortly()))
    played.send(Sealed())  # it can be asked again
    assert run(handle.next_message(soon())) == Sealed()


def test_a_deadline_ends_the_wait_for_the_end(
    both: tuple[InstanceHandle, PlayedInstance],
) -> None:
    handle, _ = both
    with pytest.raises(DeadlinePassed):
        run(handle.await_exit(shortly()))
    assert handle.exited is None


def test_a_message_that_is_there_is_returned_after_its_deadline(
    both: tuple[InstanceHandle, PlayedInstance],
) -> None:
    handle, played = both
    played.send(Sealed())
    handle.collect_output()
    assert run(handle.next_message(PAST)) == Sealed()


def test_half_a_message_does_not_extend_the_deadline(
    both: tuple[InstanceHandle, PlayedInstance],
) -> None:
    handle, played = both
    played.channel.sendall(encode(Started(kind="wsgi"))[:-1])
    with pytest.raises(DeadlinePassed):
        run(handle.next_message(shortly()))


@pytest.fixture
def flooded(
    both: tuple[InstanceHandle, PlayedInstance],
) -> Iterator[tuple[InstanceHandle, PlayedInstance]]:
    """An instance that prints for ever, faster than anybody reads."""
    handle, played = both
    program = ["dd", "if=/dev/zero", "bs=64k", "status=none"]
    with subprocess.Popen(program, stdout=played.stdout, stderr=subprocess.DEVNULL) as flood:
        yield handle, played
        flood.kill()


def test_a_flood_of_output_does_not_hold_up_a_message(
    flooded: tuple[InstanceHandle, PlayedInstance],
) -> None:
    handle, played = flooded
    played.send(Sealed())
    assert run(handle.next_message(soon())) == Sealed()


@pytest.mark.parametrize("name", ("_stdout", "_stderr"))
def test_output_that_never_runs_dry_is_left_after_a_while(
    both: tuple[InstanceHandle, PlayedInstance], name: str
) -> None:
    handle, played = both
    with open("/dev/zero", "rb") as zero:  # noqa: PTH123 (a descriptor is what is needed)
        os.dup2(zero.fileno(), getattr(handle, name).fileno())
    played.send(Sealed())
    handle.collect_output()
    assert 1 << 20 <= len(getattr(handle.output, name[1:])) <= 1 << 26
    assert run(handle.next_message(soon())) == Sealed()


def test_one_look_takes_all_that_has_been_written_before(
    both: tuple[InstanceHandle, PlayedInstance],
) -> None:
    handle, played = both
    size = fcntl.fcntl(played.stdout, fcntl.F_GETPIPE_SZ)
    os.write(played.stdout, b"x" * size)
    handle.collect_output()
    assert len(handle.output.stdout) == size


def test_a_flood_of_output_does_not_outlast_a_deadline(
    flooded: tuple[InstanceHandle, PlayedInstance],
) -> None:
    handle, _ = flooded
    with pytest.raises(DeadlinePassed):
        run(handle.next_message(shortly()))
    assert handle.output.stdout


def test_a_response_without_end_is_read_piece_by_piece(
    both: tuple[InstanceHandle, PlayedInstance],
) -> None:
    handle, played = both
    piece = ResponseBody(blob=b"x" * 60_000)

    def stream() -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            played.send(ResponseStart(status=200, headers=()))
            while True:
                played.send(piece)

    instance = threading.Thread(target=stream)
    instance.start()
    assert run(handle.next_message(soon())) == ResponseStart(status=200, headers=())
    assert run(handle.next_message(soon())) == piece
    handle.close()
    instance.join()


# descriptors


@pytest.mark.parametrize("ends_first", ("instance", "host"))
def test_no_descriptor_is_left_after_close(ends_first: str) -> None:
    before = descriptors()
    handle, played = pair()
    assert len(descriptors()) > len(before)
    if ends_first == "instance":
        played.exit_with(Exited(status=0))
        run(handle.await_exit(soon()))
        with pytest.raises(InstanceGone):
            run(handle.next_message(soon()))
    handle.close()
    handle.close()  # harmless
    played.close()
    assert descriptors() == before


def test_no_descriptor_is_left_where_the_zygote_was_dead() -> None:
    before = descriptors()
    played = PlayedInstance(has_died=True)
    InstanceHandle(1, RECIPE, played).close()
    played.close()
    assert descriptors() == before


def test_an_instance_notices_that_its_handle_was_closed(
    both: tuple[InstanceHandle, PlayedInstance],
) -> None:
    handle, played = both
    handle.close()
    assert played.channel.recv(1) == b""
    with pytest.raises(BrokenPipeError):
        os.write(played.stdout, b"x")


# the zygote


def test_a_handle_asks_its_zygote_for_what_its_recipe_says(
    both: tuple[InstanceHandle, PlayedInstance],
) -> None:
    handle, played = both
    order = Fork(instance=7, seal=RECIPE.seal, memory_bytes=RECIPE.memory_bytes)
    assert played.forks == [order]
    assert played.channel.family is socket.AF_UNIX
    freeze = Signal(instance=7, action="freeze")
    handle.signal(freeze)
    assert played.signals == [freeze]
