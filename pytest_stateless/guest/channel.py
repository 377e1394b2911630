"""A blocking socket that carries messages, as zygote and instances use it."""

from __future__ import annotations

import os
import select
import socket
from collections import deque
from typing import TYPE_CHECKING

from pytest_stateless.wire.framing import Decoder, encode

if TYPE_CHECKING:
    from pytest_stateless.wire.message import Message

_CHUNK_BYTES = 1 << 16
_MAX_DESCRIPTORS = 16


class Channel:
    """Sends and receives messages, and the descriptors that come along with them.

    Args:
        sock: A connected stream socket; the channel owns it. Descriptors come with messages only
            where its family is AF_UNIX.
    """

    __slots__ = ("_decoder", "_inbox", "_sock", "_takes_descriptors", "descriptors")

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._takes_descriptors = sock.family == getattr(socket, "AF_UNIX", None)
        self._decoder = Decoder()
        self._inbox: deque[Message] = deque()
        self.descriptors: deque[int] = deque()
        """Descriptors that have arrived, in order."""

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._sock.fileno()

    def send(self, message: Message) -> None:
        """Send a message, waiting for room.

        Args:
            message: Any message.

        Raises:
            OSError: The other side is gone.
        """
        self._sock.sendall(encode(message))

    def receive(self) -> Message | None:
        """Wait for the next message.

        Returns:
            The message, or None if the other side is gone.

        Raises:
            ProtocolError: What arrived is no message.
        """
        while not self._inbox:
            data = self._receive_bytes()
            if not data:
                return None
            self._decoder.feed(data)
            self._inbox.extend(self._decoder.messages())
        return self._inbox.popleft()

    def _receive_bytes(self) -> bytes:
        if not self._takes_descriptors:
            return self._sock.recv(_CHUNK_BYTES)
        data, descriptors, _, _ = socket.recv_fds(self._sock, _CHUNK_BYTES, _MAX_DESCRIPTORS)
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        self.descriptors.extend(descriptors)
        return data

    @property
    def has_waiting(self) -> bool:
        """Whether a message has been received that nobody has taken yet."""
        return bool(self._inbox)

    def is_readable(self) -> bool:
        """Tell, without waiting, whether a message or the end of the stream has arrived."""
        return bool(self._inbox) or bool(select.select([self._sock], [], [], 0)[0])

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()
