"""Messages to bytes and back, without I/O.

A frame is a magic number, a CRC-32 of the rest, two lengths, a JSON text (the message's name and
its structured fields) and a blob (its bytes field, if it has one). JSON rather than pickle: what
an instance sends is data, and bytes that some library of the user's wrote to our descriptor must
be recognised as what they are, never executed.
"""

from __future__ import annotations

import dataclasses
import json
import struct
import types
import typing
import zlib
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Literal, NoReturn, get_args, get_origin

from pytest_stateless.errors import InternalError, ProtocolError
from pytest_stateless.wire.message import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MAGIC = b"SLs1"
_HEADER = struct.Struct(">4sIII")
_MAX_FRAME_BYTES = 1 << 30

_CLASSES: dict[str, Callable[..., Message]] = {cls.__name__: cls for cls in get_args(Message)}


def encode(message: Message) -> bytes:
    """Turn a message into one frame.

    Args:
        message: Any message.

    Returns:
        The frame.
    """
    blob = getattr(message, "blob", b"")
    fields = {
        field.name: _to_plain(getattr(message, field.name))
        for field in dataclasses.fields(message)
        if field.name != "blob"
    }
    # ensure_ascii keeps lone surrogates (undecodable names in the environment) intact
    text = json.dumps([type(message).__name__, fields], separators=(",", ":")).encode("ascii")
    check = zlib.crc32(blob, zlib.crc32(text))
    return _HEADER.pack(MAGIC, check, len(text), len(blob)) + text + blob


def warm_up() -> None:
    """Read the annotations of every message now, which costs a millisecond once."""
    for cls in _CLASSES.values():
        for hint in _hints(cls).values():
            if isinstance(hint, type) and dataclasses.is_dataclass(hint):
                _hints(hint)


class Decoder:
    """Cuts a byte stream into messages.

    Feed it what arrives, in pieces of any size, and take the messages out with `messages`.
    """

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Add bytes that have arrived."""
        self._buffer += data

    @property
    def has_partial(self) -> bool:
        """Whether bytes are left that make no whole frame."""
        return bool(self._buffer)

    def messages(self) -> Iterator[Message]:
        """Take out every whole message.

        Yields:
            The messages in order.

        Raises:
            ProtocolError: The bytes are no frames of ours; the stream cannot be read on.
        """
        while (message := self._next()) is not None:
            yield message

    def _next(self) -> Message | None:
        buffer = self._buffer
        if buffer and not MAGIC.startswith(bytes(buffer[: len(MAGIC)])):
            _refuse(buffer)
        if len(buffer) < _HEADER.size:
            return None
        _, check, text_size, blob_size = _HEADER.unpack_from(buffer)
        end = _HEADER.size + text_size + blob_size
        if end > _MAX_FRAME_BYTES:
            _refuse(buffer)
        if len(buffer) < end:
            return None
        text = bytes(buffer[_HEADER.size : _HEADER.size + text_size])
        blob = bytes(buffer[_HEADER.size + text_size : end])
        if zlib.crc32(blob, zlib.crc32(text)) != check:
            _refuse(buffer)
        del buffer[:end]
        return _decode(text, blob)


def _refuse(data: bytes | bytearray) -> NoReturn:
    shown = bytes(data[:60])
    raise ProtocolError(f"expected a message, got {shown!r}")


def _decode(text: bytes, blob: bytes) -> Message:
    try:
        name, fields = json.loads(text)
        cls = _CLASSES[name]
        hints = _hints(cls)
        values = {key: _from_plain(hints[key], value) for key, value in fields.items()}
        if "blob" in hints:
            values["blob"] = blob
        return cls(**values)
    except (ValueError, KeyError, TypeError) as error:
        raise ProtocolError(f"message cannot be read ({error}): {text[:200]!r}") from error


def _are_texts(values: Iterable[object]) -> bool:
    """Tell whether all are plain texts, as of an environment or a path, which need no work."""
    return all(type(value) is str for value in values)


def _to_plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    if isinstance(value, (tuple, list)):
        return list(value) if _are_texts(value) else [_to_plain(item) for item in value]
    if isinstance(value, dict):
        are_texts = _are_texts(value.values())
        return value if are_texts else {key: _to_plain(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value):
        return [_to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)]
    raise InternalError(f"{value!r} cannot cross a process boundary")


@cache
def _hints(cls: object) -> dict[str, object]:
    return typing.get_type_hints(cls)


def _from_plain(hint: object, value: object) -> object:
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _dataclass_from_plain(hint, value)
    origin = get_origin(hint)
    if origin is None:
        return _scalar_from_plain(hint, value)
    args = get_args(hint)
    if origin is Literal:
        if value not in args:
            raise ValueError(f"{value!r} is none of {args}")
        return value
    if origin in {types.UnionType, typing.Union}:
        return _union_from_plain(args, value)
    if origin is dict and isinstance(value, dict):
        return _mapping_from_plain(args[1], value)
    if origin in {tuple, list} and isinstance(value, list):
        return _sequence_from_plain(origin, args, value)
    raise ValueError(f"{value!r} is no {hint}")


def _scalar_from_plain(hint: object, value: object) -> object:
    if isinstance(hint, type):
        if issubclass(hint, Enum):
            return hint(value)
        if hint is float and isinstance(value, int):
            return float(value)
        if isinstance(value, hint):
            return value
    raise ValueError(f"{value!r} is no {hint}")


def _union_from_plain(args: tuple[object, ...], value: object) -> object:
    if value is None and type(None) in args:
        return None
    exact = [arg for arg in args if isinstance(arg, type) and type(value) is arg]
    for arg in exact or args:
        try:
            return _from_plain(arg, value)
        except ValueError:
            continue
    raise ValueError(f"{value!r} is none of {args}")


def _mapping_from_plain(hint: object, value: dict[str, object]) -> object:
    if hint is str and _are_texts(value.values()):
        return value
    return {key: _from_plain(hint, item) for key, item in value.items()}


def _sequence_from_plain(origin: object, args: tuple[object, ...], value: list[object]) -> object:
    if origin is list or (len(args) == 2 and args[1] is Ellipsis):  # noqa: PLR2004
        is_plain = args[0] is str and _are_texts(value)
        items = value if is_plain else [_from_plain(args[0], item) for item in value]
        return items if origin is list else tuple(items)
    if len(args) != len(value):
        raise ValueError(f"{value!r} has not {len(args)} items")
    return tuple(_from_plain(arg, item) for arg, item in zip(args, value, strict=True))


def _dataclass_from_plain(cls: type, value: object) -> object:
    fields = dataclasses.fields(cls)
    if not isinstance(value, list) or len(value) != len(fields):
        raise ValueError(f"{value!r} is no {cls.__name__}")
    hints = _hints(cls)
    values: dict[str, object] = {
        field.name: _from_plain(hints[field.name], item)
        for field, item in zip(fields, value, strict=True)
    }
    return cls(**values)
