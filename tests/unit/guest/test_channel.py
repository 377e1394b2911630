from __future__ import annotations

import array
import contextlib
import itertools
import os
import socket
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_stateless.errors import ProtocolError
from pytest_stateless.guest.channel import Channel
from pytest_stateless.wire.framing import encode
from pytest_stateless.wire.messages import RequestBody, ResponseBody, Sealed, Started

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_stateless.wire.message import Message


@pytest.fixture
def both() -> Iterator[tuple[Channel, socket.socket]]:
    """A channel, and the socket at its other end."""
    ours, theirs = socket.socketpair()
    with contextlib.closing(Channel(ours)) as channel, theirs:
        yield channel, theirs
        for descriptor in channel.descriptors:
            os.close(descriptor)


def inode(descriptor: int) -> int:
    return os.fstat(descriptor).st_ino


@given(cuts=st.lists(st.integers(0, 400), max_size=5))
def test_messages_come_in_order_however_they_are_cut(cuts: list[int]) -> None:
    sent: list[Message] = [Sealed(), ResponseBody(blob=b"x" * 50), Started(kind="asgi")]
    stream = b"".join(map(encode, sent))
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    ours, theirs = socket.socketpair()
    with contextlib.closing(Channel(ours)) as channel, theirs:
        received: list[Message | None] = []
        # one piece at a time; a message is asked for as soon as it is whole
        for start, end in itertools.pairwise(edges):
            theirs.sendall(stream[start:end])
            whole = sum(end >= len(b"".join(map(encode, sent[: n + 1]))) for n in range(3))
            while len(received) < whole:
                received.append(channel.receive())
        assert received == sent


def test_an_end_is_told_after_the_last_message(both: tuple[Channel, socket.socket]) -> None:
    channel, theirs = both
    theirs.sendall(encode(Sealed()))
    theirs.close()
    assert channel.receive() == Sealed()
    assert channel.receive() is None
    assert channel.receive() is None


def test_an_end_within_a_message_is_an_end(both: tuple[Channel, socket.socket]) -> None:
    channel, theirs = both
    theirs.sendall(encode(Sealed())[:-1])
    theirs.close()
    assert channel.receive() is None


def test_bytes_that_are_no_message_are_refused(both: tuple[Channel, socket.socket]) -> None:
    channel, theirs = both
    theirs.sendall(b"GET / HTTP/1.1\r\n")
    with pytest.raises(ProtocolError, match="expected a message"):
        channel.receive()


def test_a_message_larger_than_the_socket_s_buffer_is_sent_whole(
    both: tuple[Channel, socket.socket],
) -> None:
    channel, theirs = both
    message = RequestBody(blob=bytes(8 << 20), is_last=True)
    other = Channel(theirs)
    received: list[Message | None] = []
    reader = threading.Thread(target=lambda: received.append(other.receive()))
    reader.start()
    channel.send(message)
    reader.join()
    assert received == [message]


def test_sending_to_nobody_is_an_error(both: tuple[Channel, socket.socket]) -> None:
    channel, theirs = both
    theirs.close()
    with pytest.raises(BrokenPipeError):
        channel.send(Sealed())


# what is waiting


def test_it_tells_without_waiting_whether_something_has_arrived(
    both: tuple[Channel, socket.socket],
) -> None:
    channel, theirs = both
    assert not channel.is_readable()
    theirs.sendall(encode(Sealed()) + encode(Started(kind="")))
    assert channel.is_readable()
    waiting = [channel.has_waiting]
    assert channel.receive() == Sealed()
    waiting.append(channel.has_waiting)
    assert waiting == [False, True], "it waits once it has been received"
    assert channel.is_readable(), "the second message came along with the first"
    assert channel.receive() == Started(kind="")
    assert not channel.is_readable()
    theirs.close()
    assert channel.is_readable(), "the end is something too"


# descriptors


def send(sock: socket.socket, message: Message, *descriptors: int) -> None:
    socket.send_fds(sock, [encode(message)], list(descriptors))


@pytest.fixture
def files() -> Iterator[list[int]]:
    opened = [os.memfd_create(f"file {number}") for number in range(8)]
    yield opened
    for descriptor in opened:
        os.close(descriptor)


def test_descriptors_of_several_messages_arrive_in_the_order_of_their_messages(
    both: tuple[Channel, socket.socket], files: list[int]
) -> None:
    channel, theirs = both
    # all are sent before anything is read, with messages without any in between
    send(theirs, Sealed(), *files[:4])
    theirs.sendall(encode(Started(kind="wsgi")))
    send(theirs, Sealed(), *files[4:])
    order = [channel.receive() for _ in range(3)]
    assert order == [Sealed(), Started(kind="wsgi"), Sealed()]
    assert [inode(one) for one in channel.descriptors] == [inode(one) for one in files]


def test_descriptors_are_there_when_their_message_is(
    both: tuple[Channel, socket.socket], files: list[int]
) -> None:
    channel, theirs = both
    for file in files:
        send(theirs, ResponseBody(blob=b"x" * 100_000), file)
        assert channel.receive() == ResponseBody(blob=b"x" * 100_000)
        assert inode(channel.descriptors.pop()) == inode(file)


def test_descriptors_of_a_message_that_comes_in_pieces_are_kept(
    both: tuple[Channel, socket.socket], files: list[int]
) -> None:
    channel, theirs = both
    frame = encode(Started(kind="lambda"))
    socket.send_fds(theirs, [frame[:5]], files[:2])
    theirs.sendall(frame[5:])
    assert channel.receive() == Started(kind="lambda")
    assert [inode(one) for one in channel.descriptors] == [inode(one) for one in files[:2]]


def test_a_descriptor_that_arrived_is_not_inherited_by_programs(
    both: tuple[Channel, socket.socket], files: list[int]
) -> None:
    channel, theirs = both
    os.set_inheritable(files[0], True)
    control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files[:1]))]
    theirs.sendmsg([encode(Sealed())], control)
    channel.receive()
    assert not os.get_inheritable(channel.descriptors[0])


def test_a_channel_can_be_polled_by_its_descriptor(both: tuple[Channel, socket.socket]) -> None:
    channel, _ = both
    assert os.fstat(channel.fileno())
    channel.close()
    assert channel.fileno() == -1
