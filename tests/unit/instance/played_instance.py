"""A zygote that forks nothing: the test plays the instance, over the real descriptors."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from pytest_stateless.forkserver.ends import open_ends
from pytest_stateless.forkserver.handle import ZygoteHandle
from pytest_stateless.instance.handle import InstanceHandle
from pytest_stateless.instance.recipe import Recipe
from pytest_stateless.wire.control import Exited, Seal
from pytest_stateless.wire.framing import Decoder, encode

if TYPE_CHECKING:
    from pytest_stateless.forkserver.ends import Ends
    from pytest_stateless.wire.control import Fork, Signal
    from pytest_stateless.wire.message import Message

RECIPE = Recipe(seal=Seal(tmp_bytes=1 << 20), memory_bytes=1 << 30)


class PlayedInstance(ZygoteHandle):
    """Keeps what a zygote would hand to an instance.

    Args:
        has_died: Whether to refuse, as the handle of a dead zygote does.
    """

    def __init__(self, *, has_died: bool = False) -> None:
        self._has_died = has_died
        self.forks: list[Fork] = []
        self.signals: list[Signal] = []
        self.channel = socket.socket(socket.AF_UNIX)
        self.stdout = self.stderr = self.exit = -1
        self._decoder = Decoder()

    def start_instance(self, order: Fork) -> Ends:
        near, far = open_ends()
        if not self._has_died:
            self.forks.append(order)
            self.channel.close()
            channel, self.stdout, self.stderr, self.exit = map(os.dup, far.descriptors())
            self.channel = socket.socket(fileno=channel)
        far.close()
        return near

    def signal(self, message: Signal) -> None:
        self.signals.append(message)

    def send(self, *messages: Message) -> None:
        self.channel.sendall(b"".join(map(encode, messages)))

    def receive(self) -> Message:
        while True:
            for message in self._decoder.messages():
                return message
            data = self.channel.recv(1 << 16)
            assert data, "the host hung up"
            self._decoder.feed(data)

    def exit_with(self, *exited: Exited) -> None:
        """End, as the zygote tells of it."""
        os.write(self.exit, b"".join(map(encode, exited)))
        self.close()

    def close(self) -> None:
        self.channel.close()
        for name in ("stdout", "stderr", "exit"):
            if getattr(self, name) >= 0:
                os.close(getattr(self, name))
                setattr(self, name, -1)


def pair() -> tuple[InstanceHandle, PlayedInstance]:
    """Make a handle, and the instance that the test plays."""
    played = PlayedInstance()
    return InstanceHandle(7, RECIPE, played), played
