from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_stateless.errors import ProtocolError
from pytest_stateless.model.observation import Observations, Write
from pytest_stateless.model.place import Frame
from pytest_stateless.wire.framing import MAGIC, Decoder, encode
from pytest_stateless.wire.messages import Done, RequestBody, Sealed, Started

if TYPE_CHECKING:
    from pytest_stateless.wire.message import Message


def decode(*pieces: bytes) -> list[Message]:
    decoder = Decoder()
    messages: list[Message] = []
    for piece in pieces:
        decoder.feed(piece)
        messages += decoder.messages()
    return messages


def test_a_message_with_nested_values_comes_back_equal() -> None:
    frame = Frame(path="/a.py", line=1, function="f", is_first_party=True)
    write = Write(operation="o", path="/p", outcome="refused", error="e", stack=(frame,))
    message = Done(handling_s=1, observations=Observations(writes=(write,)), sources=("/a",))
    assert decode(encode(message)) == [message]


def test_raw_bytes_travel_beside_the_fields() -> None:
    message = RequestBody(blob=MAGIC + bytes(range(256)), is_last=True)
    assert decode(encode(message)) == [message]


def test_messages_in_one_piece_come_out_in_order() -> None:
    messages: list[Message] = [Sealed(), Started(kind="wsgi"), Sealed()]
    assert decode(b"".join(encode(message) for message in messages)) == messages


def test_undecodable_names_in_the_environment_survive() -> None:
    message = Started(kind="", sources=("/caf\udce9.py",))
    assert decode(encode(message)) == [message]


def test_a_half_message_waits_for_the_rest() -> None:
    decoder = Decoder()
    decoder.feed(encode(Sealed())[:-1])
    assert list(decoder.messages()) == []
    assert decoder.has_partial


def test_garbage_is_refused_at_its_first_byte() -> None:
    decoder = Decoder()
    decoder.feed(b"h")
    with pytest.raises(ProtocolError, match="expected a message, got b'h'"):
        list(decoder.messages())


def test_a_changed_byte_is_noticed() -> None:
    frame = bytearray(encode(Started(kind="wsgi")))
    frame[-3] ^= 1
    with pytest.raises(ProtocolError):
        decode(bytes(frame))


def test_a_huge_length_is_refused_before_it_arrives() -> None:
    with pytest.raises(ProtocolError):
        decode(MAGIC + b"\xff" * 12)
