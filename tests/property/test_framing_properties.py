"""The framing holds for every message there is: the strategies are built from the type hints."""

from __future__ import annotations

import contextlib
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_stateless.errors import ProtocolError
from pytest_stateless.wire.framing import MAGIC, Decoder, encode
from pytest_stateless.wire.message import Message

CLASSES: tuple[type, ...] = get_args(Message)

# what an operating system hands out: any text, undecodable bytes as lone surrogates included
surrogates = st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF, exclude_categories=())
st.register_type_strategy(str, st.text(st.characters() | surrogates, max_size=12))
st.register_type_strategy(float, st.floats(allow_nan=False))

each_class = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
messages: st.SearchStrategy[Message] = st.sampled_from(CLASSES).flatmap(st.from_type)


def take_all(decoder: Decoder, data: bytes) -> list[Message]:
    decoder.feed(data)
    return list(decoder.messages())


@each_class
@given(data=st.data())
def test_every_message_comes_back_equal(cls: type, data: st.DataObject) -> None:
    message = data.draw(st.from_type(cls))
    decoder = Decoder()
    assert take_all(decoder, encode(message)) == [message]
    assert not decoder.has_partial


@given(sent=st.lists(messages, max_size=4), data=st.data())
def test_any_split_of_the_stream_gives_the_same_messages(
    sent: list[Message], data: st.DataObject
) -> None:
    stream = b"".join(map(encode, sent))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    decoder = Decoder()
    received: list[Message] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        received += take_all(decoder, stream[start:end])
    assert received == sent
    assert not decoder.has_partial


@given(message=messages, data=st.data())
def test_a_truncated_frame_gives_no_message(message: Message, data: st.DataObject) -> None:
    frame = encode(message)
    size = data.draw(st.integers(0, len(frame) - 1))
    decoder = Decoder()
    assert take_all(decoder, frame[:size]) == []
    assert decoder.has_partial is (size > 0)


@given(data=st.binary(max_size=80) | st.binary(max_size=80).map(MAGIC.__add__))
def test_garbage_gives_nothing_but_a_protocol_error(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        assert take_all(Decoder(), data) == []


@given(message=messages, data=st.data())
def test_a_changed_byte_never_gives_another_message(message: Message, data: st.DataObject) -> None:
    frame = bytearray(encode(message))
    frame[data.draw(st.integers(0, len(frame) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(ProtocolError):
        assert take_all(Decoder(), bytes(frame)) == []
