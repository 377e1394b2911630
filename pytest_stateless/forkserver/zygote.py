"""The zygote: a small interpreter that forks instances and knows nothing of the app.

It has one thread, imports third-party modules when told to, forks, kills, and reaps. It ends when
the host does: at end-of-file on its control socket, or when the host's process is gone.

`multiprocessing.forkserver` does not fit: its preload ignores `sys.path`, hides import errors,
and it neither kills what its children leave behind nor tells how they ended.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import sys
import traceback
from typing import TYPE_CHECKING

from pytest_stateless.errors import ProtocolError
from pytest_stateless.forkserver import folders
from pytest_stateless.forkserver.brood import INTERVAL_MS, Brood, Child
from pytest_stateless.forkserver.preload import preload
from pytest_stateless.guest import instance, prefault
from pytest_stateless.guest.effects import EffectWatch
from pytest_stateless.guest.imports import FirstPartyFinder
from pytest_stateless.guest.observe import coverage_run, hook
from pytest_stateless.guest.sandbox import linux
from pytest_stateless.guest.sealing import plan_ahead, rehearse
from pytest_stateless.wire import framing
from pytest_stateless.wire.control import Fork, Preload, Preloaded, Signal

if TYPE_CHECKING:
    from typing import NoReturn

    from pytest_stateless.guest.channel import Channel
    from pytest_stateless.wire.message import Message

_DESCRIPTORS_PER_FORK = 4


class Zygote:
    """The loop of the zygote process.

    Args:
        control: The channel to the host.
        host: A pidfd of the host's process.
        is_privileged: Whether this process is real root.
        folder: Where instances have a folder each that stands for `/tmp`; empty where they have
            namespaces, and mount one.
    """

    def __init__(
        self, control: Channel, host: int, *, is_privileged: bool, folder: str = ""
    ) -> None:
        self._control = control
        self._host = host
        self._is_privileged = is_privileged
        self._folder = folder
        self._finder = FirstPartyFinder()
        self._written: tuple[prefault.Range, ...] = ()
        self._effects = EffectWatch()
        self._effects.is_on = False
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)
        self._poll.register(host, select.POLLIN)
        self._brood = Brood(self._poll, self._look_at_pages, has_namespaces=not folder)
        sys.meta_path.insert(0, self._finder)
        # an instance may interrupt every process of its user that it sees
        self._interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
        # once here rather than in each instance, where every page that it touches is copied
        framing.warm_up()
        hook.install()
        rehearse("landlock" if folder else "namespace", is_privileged=is_privileged)
        gc.disable()

    def run(self) -> None:
        """Serve the host until it ends, then kill everything."""
        try:
            while self._step():
                pass
        finally:
            self._brood.end()

    def _step(self) -> bool:
        timeout = INTERVAL_MS if self._brood else None
        ready = {fd for fd, _ in self._poll.poll(timeout)}
        if self._host in ready:
            return False
        self._brood.look(ready)
        if self._control.fileno() in ready:
            message = self._control.receive()
            if message is None:
                return False
            self._handle(message)
            while self._control.has_waiting:
                waiting = self._control.receive()
                assert waiting is not None  # noqa: S101 (it has been received)
                self._handle(waiting)
        return True

    def _handle(self, message: Message) -> None:
        match message:
            case Fork():
                self._fork(message)
            case Signal():
                self._brood.signal(message)
            case Preload():
                self._preload(message)
            case _:
                raise ProtocolError(f"a zygote does not take {type(message).__name__}")

    def _preload(self, order: Preload) -> None:
        run = coverage_run.ready_run(order.coverage)
        if run is not None:
            run.start()
        dropped = preload(order, self._finder, self._effects)
        if run is not None:
            measured = run.take()
            run.stop()
            if measured is not None:
                self._control.send(measured)
        elif order.coverage is not None:
            coverage_run.make_ready(order.coverage)
        if order.modules:
            self._written = ()
            gc.collect()
            gc.freeze()
        self._control.send(Preloaded(dropped=dropped))

    def _fork(self, fork: Fork) -> None:
        descriptors = [self._control.descriptors.popleft() for _ in range(_DESCRIPTORS_PER_FORK)]
        private = folders.make(self._folder, str(fork.instance)) if self._folder else ""
        plan_ahead(fork.seal, is_privileged=self._is_privileged, private=private)
        pid = os.fork()
        if pid == 0:
            self._live(fork, descriptors, private)
        *for_child, exit_fd = descriptors
        for descriptor in for_child:
            os.close(descriptor)
        self._brood.add(
            Child(
                number=fork.instance,
                pid=pid,
                pidfd=os.pidfd_open(pid),
                exit_fd=exit_fd,
                memory_bytes=fork.memory_bytes,
                is_spawn=fork.is_spawn,
                private=private,
            )
        )

    def _live(self, fork: Fork, descriptors: list[int], private: str) -> NoReturn:
        """Become an instance: keep nothing of the zygote's but its memory."""
        channel, stdout, stderr, exit_fd = descriptors
        try:
            linux.die_with_parent()  # also while it is frozen and cannot see that the host is gone
            os.setsid()  # whoever signals its own process group reaches its own instance only
            signal.signal(signal.SIGINT, self._interrupt)
            os.dup2(stdout, 1)
            os.dup2(stderr, 2)
            self._brood.leave()
            for descriptor in (stdout, stderr, exit_fd, self._host):
                os.close(descriptor)
            self._control.close()
            instance.live(
                fork,
                channel,
                self._finder,
                is_privileged=self._is_privileged,
                private=private,
                written=self._written,
            )
        except BaseException:  # noqa: BLE001 (nothing may go on as a second zygote)
            traceback.print_exc()
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.flush()
            os._exit(1)

    def _look_at_pages(self, child: Child) -> None:
        """See once what an instance has written, so that spare ones can do it ahead."""
        if not self._written and not child.is_spawn:
            self._written = prefault.written_pages(child.pid)
