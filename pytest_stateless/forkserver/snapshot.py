"""Start method `snapshot`: an instance that is forked from the test process as it stands.

    test process ── minder ── instance

The minder is the instance's parent, as the zygote is of others: it makes its namespaces and a
read-only tree, forks the instance, and from then on signals, watches, reaps and tells. It ends
with the instance, with its control socket, or with the test process.

Both forks happen in the hook of `guest.at_fork`, before anything else can run there.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import gc
import importlib
import os
import select
import signal
import socket
import sys
import threading
import traceback
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from pytest_stateless.errors import SandboxSetupError
from pytest_stateless.forkserver import folders, host_ends, processes
from pytest_stateless.forkserver.brood import INTERVAL_MS, Brood, Child
from pytest_stateless.forkserver.ends import FarEnds, open_ends
from pytest_stateless.guest import at_fork, instance, sealing
from pytest_stateless.guest.channel import Channel
from pytest_stateless.guest.inherited import Inheritance
from pytest_stateless.guest.observe import coverage_run, hook
from pytest_stateless.guest.sandbox import descriptors, linux
from pytest_stateless.guest.sandbox.apply import apply
from pytest_stateless.guest.sandbox.plan import plan_namespaces, plan_zygote
from pytest_stateless.wire import framing
from pytest_stateless.wire.control import Fork, Signal

if TYPE_CHECKING:
    from pytest_stateless.forkserver.ends import Ends
    from pytest_stateless.model.isolation import IsolationName

_NEEDED = (
    "pytest_stateless.guest.adapter.asgi",
    "pytest_stateless.guest.adapter.lambda_",
    "pytest_stateless.guest.adapter.wsgi",
    "resource",
)
"""What an instance imports when it needs it, and a fork would import each time."""


class SnapshotHandle:
    """The host's handle of the parent of one instance.

    Args:
        inheritance: What the instance serves.
    """

    def __init__(self, inheritance: Inheritance) -> None:
        self._inheritance = inheritance
        self._control: socket.socket | None = None
        self._folder = ""
        self._pid = 0
        self.threads: tuple[str, ...] = ()
        """Names of the other threads of the test process when it was forked: no fork has them."""

    def start_instance(self, order: Fork) -> Ends:
        """Fork this process into an instance and its parent.

        Args:
            order: What it shall be.

        Returns:
            What leads to it.

        Raises:
            OSError: There can be no more processes.
        """
        _get_ready(order.seal.isolation)
        coverage_run.look_ahead()
        me = threading.current_thread()
        self.threads = tuple(one.name for one in threading.enumerate() if one is not me)
        self._control, theirs = socket.socketpair()
        host_ends.add(self._control.fileno())
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()  # or a fork would write it too
        near, far = open_ends()
        if order.seal.isolation != "namespace":
            self._folder = folders.make_base()
        minder = _Minder(
            order=order,
            inheritance=self._inheritance,
            control=theirs,
            far=far,
            folder=self._folder,
            host_pid=os.getpid(),
            is_privileged=linux.has_capability(linux.CAP_SYS_ADMIN),
        )
        try:
            with warnings.catch_warnings():
                # nothing that another thread may have locked is called before the child is settled
                warnings.simplefilter("ignore", DeprecationWarning)
                self._pid = at_fork.fork(minder.prepare)
            if self._pid == 0:
                minder.run()
        finally:
            theirs.close()
            far.close()
        return near

    def signal(self, message: Signal) -> None:
        """Stop, continue or end the instance; nothing happens if it is gone."""
        if self._control is not None:
            with contextlib.suppress(OSError):
                self._control.sendall(framing.encode(message))

    def last_words(self) -> str:
        """Return what the parent wrote before it died: it has no stream of its own."""
        return ""

    def let_go(self) -> None:
        """End the instance if it lives, and reap its parent."""
        if self._control is None:
            return
        host_ends.discard(self._control.fileno())
        self._control.close()
        self._control = None
        with contextlib.suppress(ChildProcessError):  # the test has waited for all its children
            os.waitpid(self._pid, 0)
        folders.remove(self._folder)


@functools.cache
def _get_ready(isolation: IsolationName) -> None:
    """Have once in this process what each fork of it would otherwise have to make for itself.

    Detours and taps do nothing where nothing is sealed or observed.
    """
    framing.warm_up()
    hook.listen()
    if isolation != "namespace":
        sealing.prepare_detours()
    for name in _NEEDED:
        importlib.import_module(name)


@dataclass(slots=True, kw_only=True)
class _Minder:
    """What runs between the two forks.

    Attributes:
        order: What the instance shall be.
        inheritance: What it serves.
        control: The socket to the host.
        far: The instance's ends of what leads to it.
        folder: Where its folder is that stands for `/tmp`; empty where it mounts one.
        host_pid: Process id of the test process.
        is_privileged: Whether that is real root.
    """

    order: Fork
    inheritance: Inheritance
    control: socket.socket
    far: FarEnds
    folder: str
    host_pid: int
    is_privileged: bool
    _host: int = -1
    _private: str = ""
    _replaced: tuple[str, ...] = ()
    _failure: SandboxSetupError | None = None

    def prepare(self) -> None:
        """Make the namespaces and the read-only tree; what fails is told by `run`."""
        try:
            self._host = os.pidfd_open(self.host_pid)
            self._private = folders.make(self.folder, "tmp") if self.folder else ""
            os.setsid()  # Ctrl-C is for pytest
            host_ends.close_all()
            linux.adopt_orphans()
            if not self.folder:
                self._make_namespaces()
            self._replaced = descriptors.reopen(self.order.seal.writable, at_fork.session_files())
        except SandboxSetupError as error:
            self._failure = error
        except OSError as error:
            self._failure = SandboxSetupError("fork the test process", "fork", error.errno or 0)

    def _make_namespaces(self) -> None:
        apply(
            plan_namespaces(
                uid=os.getuid(),
                gid=os.getgid(),
                is_privileged=self.is_privileged,
                has_pid=False,
            )
        )
        apply(plan_zygote(has_pid=False))

    def run(self) -> NoReturn:
        """Fork the instance, mind it, and end with it."""
        status = 0
        try:
            gc.disable()
            gc.freeze()  # a first collection of all that has been inherited would copy it
            size_bytes = processes.resident_bytes(os.getpid())
            self.inheritance = dataclasses.replace(self.inheritance, resident_bytes=size_bytes)
            pid = at_fork.fork(self._seal)
            if pid == 0:
                self._live()
            self._mind(pid)
        except BaseException:  # noqa: BLE001 (nothing may go on as a second pytest)
            status = 1
            with contextlib.suppress(BaseException):
                os.write(self.far.descriptors()[2], traceback.format_exc().encode())
        finally:
            os._exit(status)

    def _mind(self, pid: int) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        exit_fd = self.far.descriptors()[3]
        descriptors.close_all_but({self.control.fileno(), exit_fd, self._host})
        null = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(null, stream)
        control = Channel(self.control)
        poll = select.poll()
        poll.register(control, select.POLLIN)
        poll.register(self._host, select.POLLIN)
        brood = Brood(poll, has_namespaces=not self.folder)
        brood.add(
            Child(
                number=self.order.instance,
                pid=pid,
                pidfd=os.pidfd_open(pid),
                exit_fd=exit_fd,
                memory_bytes=self.order.memory_bytes,
                inherited_bytes=self.inheritance.resident_bytes,
                private=self._private,
            )
        )
        while brood:
            ready = {descriptor for descriptor, _ in poll.poll(INTERVAL_MS)}
            brood.look(ready)
            if self._host in ready or (control.fileno() in ready and not _obey(control, brood)):
                brood.end()
        folders.remove(self.folder)

    def _seal(self) -> None:
        """Seal the instance, before the hooks of others run in it."""
        try:
            linux.die_with_parent()
            os.setsid()
            if self._failure is None:
                instance.seal(
                    self.order.seal, is_privileged=self.is_privileged, private=self._private
                )
        except SandboxSetupError as error:
            self._failure = error

    def _live(self) -> NoReturn:
        """Become the instance."""
        channel, stdout, stderr, exit_fd = self.far.descriptors()
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        for descriptor in (stdout, stderr, exit_fd, self._host):
            os.close(descriptor)
        self.control.close()
        instance.live_inherited(
            channel, self.inheritance, failure=self._failure, replaced=self._replaced
        )


def _obey(control: Channel, brood: Brood) -> bool:
    """Do what the host says.

    Returns:
        Whether it is still there.
    """
    message = control.receive()
    while message is not None:
        if isinstance(message, Signal):
            brood.signal(message)
        if not control.has_waiting:
            return True
        message = control.receive()
    return False
