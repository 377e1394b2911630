"""The live instances of one parent: signalled, watched, reaped, and told of.

Who forks instances is their only parent, and has this. How an instance came to be makes no
difference here.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from pytest_stateless.forkserver import folders, processes
from pytest_stateless.wire import framing
from pytest_stateless.wire.control import Exited

if TYPE_CHECKING:
    from collections.abc import Callable
    from signal import Signals

    from pytest_stateless.wire.control import Signal

INTERVAL_MS = 50
"""How often the memory of instances is looked at, in milliseconds."""


def _nothing(_child: Child) -> None:
    pass


@dataclass(slots=True, kw_only=True)
class Child:
    """A live instance, as its parent knows it.

    Attributes:
        number: The host's number for it.
        pid: Its process id.
        pidfd: A descriptor of its process.
        exit_fd: The pipe by which the host learns how it ended.
        memory_bytes: The resident size at which it is killed, beyond `inherited_bytes`.
        is_spawn: Whether it is a new interpreter.
        inherited_bytes: The resident size that it was born with and that does not count.
        private: The folder that stands for its `/tmp`, to be removed; empty if it has mounted one.
        peak_bytes: The size at which it passed its memory, 0 if it has not.
    """

    number: int
    pid: int
    pidfd: int
    exit_fd: int
    memory_bytes: int
    is_spawn: bool = False
    inherited_bytes: int = 0
    private: str = ""
    peak_bytes: int = 0


class Brood:
    """Live instances.

    Args:
        poll: Where their ends are waited for.
        before_kill: Called with an instance that is to be killed.
        has_namespaces: Whether each has a mount namespace of its own.
    """

    def __init__(
        self,
        poll: select.poll,
        before_kill: Callable[[Child], None] = _nothing,
        *,
        has_namespaces: bool = True,
    ) -> None:
        self._has_namespaces = has_namespaces
        self._poll = poll
        self._before_kill = before_kill
        self._children: dict[int, Child] = {}

    def __bool__(self) -> bool:
        """Tell whether there is any."""
        return bool(self._children)

    def add(self, child: Child) -> None:
        """Take one in."""
        self._poll.register(child.pidfd, select.POLLIN)
        self._children[child.number] = child

    def leave(self) -> None:
        """Let go of them in a process that has been forked from their parent."""
        for child in self._children.values():
            os.close(child.pidfd)
            os.close(child.exit_fd)
        self._children.clear()

    def end(self) -> None:
        """Kill them all."""
        for child in list(self._children.values()):
            os.kill(child.pid, signal.SIGKILL)
            self._bury(child)

    def look(self, ready: set[int]) -> None:
        """Look after them once.

        Args:
            ready: Descriptors that the poll has returned.
        """
        self._watch_memory()
        for child in list(self._children.values()):
            if child.pidfd in ready:
                self._bury(child)

    def signal(self, message: Signal) -> None:
        """Stop, continue or end one; nothing happens if it has ended by itself meanwhile."""
        child = self._children.get(message.instance)
        if child is None:
            return
        match message.action:
            case "freeze":
                self._signal_group(child, signal.SIGSTOP)
            case "thaw":
                self._signal_group(child, signal.SIGCONT)
            case "abort":
                os.kill(child.pid, signal.SIGABRT)
                os.kill(child.pid, signal.SIGCONT)
            case "kill":  # it is buried when it is dead: the next fork does not wait for that
                self._before_kill(child)
                os.kill(child.pid, signal.SIGKILL)
            case _:
                assert_never(message.action)

    def _signal_group(self, child: Child, number: Signals) -> None:
        processes.signal_group(child.pid, number, has_namespaces=self._has_namespaces)

    def _watch_memory(self) -> None:
        for child in self._children.values():
            resident = processes.resident_bytes(child.pid) - child.inherited_bytes
            if resident > child.memory_bytes:
                # first so that it writes its stack to stderr, then so that it cannot refuse
                os.kill(child.pid, signal.SIGKILL if child.peak_bytes else signal.SIGABRT)
                child.peak_bytes = resident

    def _bury(self, child: Child) -> None:
        """Reap an instance that is dead or dying, kill what it left, and tell the host."""
        _, status = os.waitpid(child.pid, 0)
        self._poll.unregister(child.pidfd)
        os.close(child.pidfd)
        del self._children[child.number]
        survivors = processes.kill_orphans(
            {other.pid for other in self._children.values()}, has_namespaces=self._has_namespaces
        )
        folders.remove(child.private)
        exited = Exited(status=status, survivors=survivors, peak_bytes=child.peak_bytes)
        with contextlib.suppress(OSError):  # the host does not want to know any more
            os.write(child.exit_fd, framing.encode(exited))
        os.close(child.exit_fd)
