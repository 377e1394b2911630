"""The host's handle of one instance: a conversation without blocking.

Everything that waits is a generator (`Steps`) that yields how long it would wait; a driver does
the waiting, blocking or in an event loop. So the sync and the async client share every line.
"""

from __future__ import annotations

import selectors
import time
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

from pytest_stateless.errors import InternalError, ProtocolError
from pytest_stateless.forkserver import host_ends
from pytest_stateless.wire.control import Exited, Fork, Signal
from pytest_stateless.wire.framing import Decoder, encode

if TYPE_CHECKING:
    from pytest_stateless.forkserver.ends import End, Ends
    from pytest_stateless.instance.recipe import Recipe
    from pytest_stateless.wire.message import Message
    from pytest_stateless.wire.messages import Begin

T = TypeVar("T")

_CHUNK_BYTES = 1 << 18
_MAX_CHUNKS = 16
"""At one look: who sends without end must not keep its reader from looking at the clock. It is
more than a pipe or a socket holds, so that what has been sent before the look is read in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """What a driver waits for: `fileno` to be ready, at most `timeout_s` seconds."""

    fileno: int
    selector: selectors.BaseSelector
    timeout_s: float | None


Steps = Generator[Wait, None, T]
"""A computation that pauses where it would block."""


class InstanceGone(Exception):  # noqa: N818 (a signal between this layer and its caller)
    """The instance's channel has ended, or has become unreadable."""

    def __init__(self, garbage: str = "") -> None:
        super().__init__(garbage)
        self.garbage = garbage


class DeadlinePassed(Exception):  # noqa: N818 (as above)
    """The time for an answer is over."""


@dataclass(slots=True)
class Output:
    """What an instance has written and nobody has taken yet."""

    stdout: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)


class Parent(Protocol):
    """Who starts instances and is told what to do with them."""

    @property
    def threads(self) -> tuple[str, ...]:
        """Names of threads that its instance lacks, though what it inherited may count on them."""

    def start_instance(self, order: Fork, /) -> Ends:
        """Start one.

        Args:
            order: What it shall be.

        Returns:
            What leads to it; if it could not be started, all of it has ended.
        """

    def signal(self, message: Signal, /) -> None:
        """Stop, continue or end one; nothing happens if it is gone."""

    def last_words(self) -> str:
        """Return the end of what it wrote to its standard streams."""

    def let_go(self) -> None:
        """Take down that the handle of one of its instances has been closed."""


def _fileno_of(selector: selectors.BaseSelector) -> tuple[int, ...]:
    """Return the descriptor of a selector, if it has one."""
    fileno = getattr(selector, "fileno", None)
    return (fileno(),) if fileno is not None else ()


class InstanceHandle:
    """One instance.

    Args:
        number: The host's number for it.
        recipe: How to start it.
        parent: Who starts it.
    """

    def __init__(self, number: int, recipe: Recipe, parent: Parent) -> None:
        self.number = number
        self.recipe = recipe
        self.parent = parent
        self.output = Output()
        self.exited: Exited | None = None
        self.is_sealed = False
        self.replaced: tuple[str, ...] = ()
        """Files that this process has open for writing, and the instance for reading only."""
        self.begun: Begin | None = None
        """What it has been told to become, ahead of the request that it will serve."""
        self._decoder = Decoder()
        self._exit_decoder = Decoder()
        self._inbox: deque[Message] = deque()
        self._outgoing = bytearray()
        self._garbage: str | None = None
        self._is_channel_open = True
        self._selector = selectors.DefaultSelector()
        self._selector_fileno = _fileno_of(self._selector)
        host_ends.add(*self._selector_fileno)
        ends = parent.start_instance(
            Fork(
                instance=number,
                seal=recipe.seal,
                memory_bytes=recipe.memory_bytes,
                is_spawn=recipe.start == "spawn",
                hash_seed=recipe.hash_seed,
            )
        )
        self._sock, self._exit = ends.channel, ends.exit
        self._stdout, self._stderr = ends.stdout, ends.stderr
        # the exit first: what was written before its end is there then
        self._open: list[End] = [self._exit, self._stdout, self._stderr]
        for end in self._open:
            self._selector.register(end, selectors.EVENT_READ)
        self._selector.register(self._sock, selectors.EVENT_READ)

    # what the caller does

    def post(self, message: Message) -> None:
        """Queue a message; it leaves while the caller waits for an answer."""
        self._outgoing += encode(message)
        self._push()

    def signal(self, message: Signal) -> None:
        """Have its parent signal this instance."""
        self.parent.signal(message)

    def next_message(self, deadline: float | None = None) -> Steps[Message]:
        """Wait for the next message.

        Args:
            deadline: On the clock of `time.monotonic`, or None to wait for ever.

        Returns:
            The message.

        Raises:
            InstanceGone: The instance ended, or what it sent is no message.
            DeadlinePassed: Nothing came in time.
        """
        while not self._inbox:
            if self._garbage is not None or not self._is_channel_open:
                raise InstanceGone(self._garbage or "")
            yield self._wait_until(deadline)
            self._pull()
        return self._inbox.popleft()

    def await_exit(self, deadline: float | None = None) -> Steps[Exited | None]:
        """Wait until the instance and all that it started are gone.

        Args:
            deadline: On the clock of `time.monotonic`, or None to wait for ever.

        Returns:
            How it ended; None if its zygote ended too and nobody can tell.

        Raises:
            DeadlinePassed: It lives on.
        """
        while self._exit in self._open:
            yield self._wait_until(deadline)
            self._pull()
        return self.exited

    def has_ended(self) -> bool:
        """Tell, without waiting, whether the instance and all that it started are gone."""
        self._pull()
        return self._exit not in self._open

    def collect_output(self) -> None:
        """Read what is there on every descriptor, without waiting."""
        self._pull()

    def close(self) -> None:
        """Close every descriptor; the instance notices and ends if it is still there."""
        host_ends.discard(*self._selector_fileno)
        self._selector.close()
        if self._sock.fileno() >= 0:
            host_ends.discard(self._sock.fileno())
            self._sock.close()
        for end in self._open:
            end.close()
        self._open.clear()
        self.parent.let_go()

    # the plumbing

    def _wait_until(self, deadline: float | None) -> Wait:
        timeout = None if deadline is None else deadline - time.monotonic()
        if timeout is not None and timeout <= 0:
            raise DeadlinePassed
        (fileno,) = self._selector_fileno or (-1,)
        return Wait(fileno=fileno, selector=self._selector, timeout_s=timeout)

    def _pull(self) -> None:
        self._push()
        if self._is_channel_open:
            self._pull_channel()
        for end in list(self._open):
            self._pull_end(end)

    def _pull_channel(self) -> None:
        try:
            for _ in range(_MAX_CHUNKS):
                data = self._sock.recv(_CHUNK_BYTES)
                if not data:
                    break
                self._decoder.feed(data)
                self._inbox.extend(self._decoder.messages())
            else:
                return
        except BlockingIOError:
            return
        except ConnectionResetError:
            pass
        except ProtocolError as error:
            self._garbage = str(error)
        if self._decoder.has_partial and self._garbage is None:
            self._garbage = "the last message is cut off"
        self._is_channel_open = False
        self._selector.unregister(self._sock)

    def _pull_end(self, end: End) -> None:
        try:
            for _ in range(_MAX_CHUNKS):
                data = end.read(_CHUNK_BYTES)
                if not data:
                    break
                if end is self._exit:
                    self._exit_decoder.feed(data)
                elif end is self._stdout:
                    self.output.stdout += data
                else:
                    self.output.stderr += data
            else:
                return
        except BlockingIOError:
            return
        if end is self._exit:
            self._exit_ended()
        self._selector.unregister(end)
        self._open.remove(end)
        end.close()

    def _exit_ended(self) -> None:
        for message in self._exit_decoder.messages():
            if not isinstance(message, Exited):
                raise InternalError(f"expected Exited, the zygote sent {message!r}")
            self.exited = message

    def _push(self) -> None:
        """Send what fits, and ask to be woken for the rest."""
        while self._outgoing and self._is_channel_open:
            try:
                sent = self._sock.send(self._outgoing)
            except BlockingIOError:
                break
            except OSError:  # gone; reading says so too
                self._outgoing.clear()
                break
            del self._outgoing[:sent]
        if self._is_channel_open:
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._outgoing else 0)
            if self._selector.get_key(self._sock).events != wanted:
                self._selector.modify(self._sock, wanted)
