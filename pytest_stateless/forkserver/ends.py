"""The host's ends of what leads to an instance: its channel, its output, and how it ended.

They are noted as the host's own, so that no fork of it keeps them.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import Protocol

from pytest_stateless.forkserver import host_ends


class End(Protocol):
    """Something to read from that never blocks."""

    def fileno(self) -> int:
        """Return its descriptor."""

    def read(self, size_bytes: int) -> bytes:
        """Read what is there.

        Args:
            size_bytes: At most so much.

        Returns:
            The bytes; none at the end.

        Raises:
            BlockingIOError: Nothing is there now.
        """

    def close(self) -> None:
        """Close it."""


class PipeEnd:
    """An end of a pipe.

    Args:
        descriptor: The end; owned from now on.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        os.set_blocking(descriptor, False)
        host_ends.add(descriptor)

    def fileno(self) -> int:
        """Return its descriptor."""
        return self._descriptor

    def read(self, size_bytes: int) -> bytes:
        """Read what is there, `End.read`."""
        return os.read(self._descriptor, size_bytes)

    def close(self) -> None:
        """Close it."""
        host_ends.discard(self._descriptor)
        os.close(self._descriptor)


class SocketEnd:
    """An end of a socket pair, for systems that wait for nothing but sockets.

    Args:
        sock: The end; owned from now on.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        sock.setblocking(False)
        host_ends.add(sock.fileno())

    def fileno(self) -> int:
        """Return its descriptor."""
        return self._sock.fileno()

    def read(self, size_bytes: int) -> bytes:
        """Read what is there, `End.read`."""
        return self._sock.recv(size_bytes)

    def close(self) -> None:
        """Close it."""
        host_ends.discard(self._sock.fileno())
        self._sock.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """All that leads to one instance.

    Attributes:
        channel: Where messages go both ways; does not block.
        stdout: What it writes there.
        stderr: Likewise.
        exit: Where `Exited` arrives when it is gone; closed without it if nobody can tell.
    """

    channel: socket.socket
    stdout: End
    stderr: End
    exit: End


@dataclass(frozen=True, slots=True, kw_only=True)
class FarEnds:
    """The other ends, for a process that is forked."""

    channel: socket.socket
    pipes: tuple[int, ...]

    def descriptors(self) -> list[int]:
        """Return channel, stdout, stderr and exit pipe."""
        return [self.channel.fileno(), *self.pipes]

    def close(self) -> None:
        """Close them on this side."""
        self.channel.close()
        for pipe in self.pipes:
            os.close(pipe)


def open_ends() -> tuple[Ends, FarEnds]:
    """Make a socket pair and three pipes.

    Returns:
        The host's ends and the instance's.
    """
    channel, theirs = socket.socketpair()
    channel.setblocking(False)
    host_ends.add(channel.fileno())
    pipes = [os.pipe() for _ in range(3)]
    stdout, stderr, exit_ = (PipeEnd(reader) for reader, _ in pipes)
    near = Ends(channel=channel, stdout=stdout, stderr=stderr, exit=exit_)
    return near, FarEnds(channel=theirs, pipes=tuple(writer for _, writer in pipes))
