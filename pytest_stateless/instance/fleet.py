"""The instances of a session: starting them, keeping a spare one ready, ending them.

One zygote for each isolation serves a whole session and is started again if it dies. A spare
instance is forked and sealed ahead of the request that will need it, with the app not yet
imported, so that a request does not wait for the fork.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from typing import TYPE_CHECKING, Literal

from pytest_stateless.forkserver.handle import ZygoteHandle
from pytest_stateless.forkserver.snapshot import SnapshotHandle
from pytest_stateless.forkserver.spawner import SpawnHandle, can_fork
from pytest_stateless.instance.anchors import Anchors
from pytest_stateless.instance.handle import DeadlinePassed, InstanceGone, InstanceHandle
from pytest_stateless.instance.spare import Spare, changes_since, is_alike
from pytest_stateless.wire.control import Preload, Signal
from pytest_stateless.wire.messages import (
    Learnt,
    Sealed,
    SealFailed,
    Start,
    Started,
    StartFailed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_stateless.guest.inherited import Inheritance
    from pytest_stateless.instance.handle import Steps
    from pytest_stateless.instance.recipe import Recipe
    from pytest_stateless.model.isolation import IsolationName
    from pytest_stateless.model.place import Frame
    from pytest_stateless.wire.control import Exited
    from pytest_stateless.wire.measured import Measured
    from pytest_stateless.wire.message import Message
    from pytest_stateless.wire.messages import Begin

LEARN_TIMEOUT_S = 300.0
COLD_START_TIMEOUT_S = 60.0
_END_TIMEOUT_S = 5.0
_ABORT_TIMEOUT_S = 2.0
_MAX_RETIRING = 8


class Fleet:
    """All instances of a session.

    Args:
        on_measured: Takes what coverage.py has measured of modules that were imported ahead.
    """

    def __init__(self, on_measured: Callable[[Measured], None] = lambda _: None) -> None:
        self._on_measured = on_measured
        self._lock = threading.RLock()
        self._zygotes: dict[IsolationName, ZygoteHandle] = {}
        self._spare: Spare | None = None
        self._retiring: list[InstanceHandle] = []
        self._ended: list[tuple[int, Exited]] = []
        self._count = 0
        self._learnt: set[tuple[IsolationName, str]] = set()
        self._remembered: set[tuple[IsolationName, str]] = set()
        self._have_coverage: set[IsolationName] = set()
        self.app_places: dict[str, Frame | None] = {}
        """Where each app is defined, as the first instance that had it has told."""
        self.dropped: tuple[tuple[str, str], ...] = ()
        """Modules that could not be imported ahead, with reasons."""

    def zygote(self, isolation: IsolationName = "namespace") -> ZygoteHandle:
        """Return the zygote for an isolation, started now if there is none or if it has died.

        Args:
            isolation: What its instances are sealed by.

        Returns:
            A running zygote.

        Raises:
            SandboxUnavailableError: This machine refuses the isolation.
        """
        with self._lock:
            known = self._zygotes.get(isolation)
            if known is None or not known.is_alive:
                self._discard_zygote(isolation)
                known = self._zygotes[isolation] = ZygoteHandle.start(isolation)
            return known

    def _discard_zygote(self, isolation: IsolationName) -> None:
        zygote = self._zygotes.pop(isolation, None)
        if self._spare is not None and self._spare.recipe.seal.isolation == isolation:
            self._spare.anchors.close()
            self._spare.handle.close()
            self._spare = None
        if zygote is not None:
            zygote.close()
        self._learnt = {pair for pair in self._learnt if pair[0] != isolation}
        self._remembered = {pair for pair in self._remembered if pair[0] != isolation}
        self._have_coverage.discard(isolation)

    def _is_running(self, isolation: IsolationName) -> bool:
        zygote = self._zygotes.get(isolation)
        return zygote is not None and zygote.is_alive

    def knows(self, app: str, isolation: IsolationName = "namespace") -> bool:
        """Tell whether an isolation's zygote has learnt what an app imports, and still runs."""
        with self._lock:
            return self._is_running(isolation) and (isolation, app) in self._learnt

    def learn(self, begin: Begin, start: Start, recipe: Recipe) -> Steps[None]:
        """Import an app once in a throw-away instance, and its third-party modules in the zygote.

        If the import fails, nothing is preloaded; the instance that serves says why.

        Args:
            begin: What the learning instance becomes.
            start: What else it is told.
            recipe: How it is sealed.
        """  # noqa: DOC201 (it returns nothing)
        handle = self._start(recipe)
        # nothing is measured here: what runs at the import runs in every other instance too
        handle.post(dataclasses.replace(begin, coverage=None))
        handle.post(dataclasses.replace(start, is_learning=True))
        deadline = time.monotonic() + LEARN_TIMEOUT_S
        learnt: Learnt | None = None
        try:
            while not isinstance(message := (yield from handle.next_message(deadline)), Started):
                if isinstance(message, Learnt):
                    learnt = message
                elif isinstance(message, (StartFailed, SealFailed)):
                    return
        except (InstanceGone, DeadlinePassed):
            return
        finally:
            self.retire(handle)
        self._note_place(begin, start, message)
        if learnt is not None:
            self._preload(learnt, begin, recipe.seal.isolation)
            self._learnt.add((recipe.seal.isolation, begin.app))
            self._drop_spare()  # it was forked before

    def _note_place(self, begin: Begin, start: Start, started: Started) -> None:
        if start.wants_place:
            self.app_places[begin.app] = started.app_place

    def _preload(self, learnt: Learnt, begin: Begin, isolation: IsolationName) -> None:
        order = Preload(
            modules=learnt.modules,
            refused=learnt.refused,
            sources=learnt.sources,
            environ=begin.environ,
            sys_path=begin.sys_path,
            first_party=begin.first_party,
            coverage=begin.coverage,
        )
        zygote = self.zygote(isolation)
        try:
            answer = zygote.preload(order)
        except OSError:  # it died; the next request starts another
            return
        self.dropped += answer.dropped
        while zygote.measured:
            self._on_measured(zygote.measured.popleft())

    def preload_coverage(self, begin: Begin, isolation: IsolationName = "namespace") -> None:
        """Have coverage.py be there in instances that measure, unless that is done.

        Args:
            begin: What such an instance becomes.
            isolation: What it is sealed by.
        """
        self.zygote(isolation)
        if isolation in self._have_coverage or begin.coverage is None:
            return
        names = ("coverage", *begin.coverage.plugins)
        self._preload(Learnt(modules=names, refused=(), sources=()), begin, isolation)
        self._have_coverage.add(isolation)
        self._drop_spare()  # it was forked before

    def remember(
        self,
        begin: Begin,
        isolation: IsolationName = "namespace",
        *,
        sources: tuple[str, ...] = (),
        modules: tuple[str, ...] = (),
    ) -> None:
        """Have what an instance had to compile and import be there for the instances to come.

        Args:
            begin: What the instance was.
            isolation: What it was sealed by.
            sources: First-party source files that it compiled.
            modules: Other modules that it imported while it served.
        """
        if (isolation, begin.app) not in self._learnt:
            return  # nothing is to be imported ahead, or nothing could be learnt
        news = tuple(name for name in modules if (isolation, name) not in self._remembered)
        self._remembered.update((isolation, name) for name in news)
        if sources or news:
            learnt = Learnt(modules=news, refused=(), sources=sources)
            self._preload(learnt, begin, isolation)

    def snapshot(self, recipe: Recipe, inheritance: Inheritance) -> InstanceHandle:
        """Return an instance that is a fork of this process as it stands.

        Args:
            recipe: What it shall be.
            inheritance: What it serves.

        Returns:
            The instance, which is about to be sealed.
        """
        with self._lock:
            self._count += 1
            return InstanceHandle(self._count, recipe, SnapshotHandle(inheritance))

    def acquire(self, recipe: Recipe) -> InstanceHandle:
        """Return an instance that is sealed or about to be, and that nobody has used.

        Args:
            recipe: What it shall be.

        Returns:
            The spare one if it fits, else one that is being forked.

        Raises:
            SandboxUnavailableError: This machine refuses the isolation.
        """
        with self._lock:
            spare = self._take_spare(recipe) if can_fork() else None
            return spare or self._start(recipe)

    def _take_spare(self, recipe: Recipe) -> InstanceHandle | None:
        zygote = self.zygote(recipe.seal.isolation)
        spare, self._spare = self._spare, None
        if spare is None:
            return None
        fits = spare.fits(recipe, zygote)
        spare.anchors.close()
        if fits:
            return spare.handle
        self.retire(spare.handle)
        return None

    def prepare_spare(self, recipe: Recipe, begin: Begin) -> None:
        """Have an instance made for the next request, without waiting for it.

        Args:
            recipe: What it shall be.
            begin: What it will most likely be asked to become.
        """
        with self._lock:
            if self._spare is None and self._is_running(recipe.seal.isolation):
                anchors = Anchors(recipe.seal.writable)
                handle = self._start(recipe)
                self._become(handle, begin)
                self._spare = Spare(recipe=recipe, handle=handle, anchors=anchors)

    @staticmethod
    def _become(handle: InstanceHandle, begin: Begin) -> None:
        handle.begun = begin
        handle.post(begin)

    def _drop_spare(self) -> None:
        with self._lock:
            if self._spare is not None:
                self._spare.anchors.close()
                self.retire(self._spare.handle)
                self._spare = None

    def _start(self, recipe: Recipe) -> InstanceHandle:
        with self._lock:
            self._count += 1
            parent = self.zygote(recipe.seal.isolation) if can_fork() else SpawnHandle()
            return InstanceHandle(self._count, recipe, parent)

    def begin(
        self,
        handle: InstanceHandle,
        begin: Begin,
        start: Start,
        notice: Callable[[Message], None],
        *,
        requests: Iterable[Message] = (),
    ) -> Steps[Started | StartFailed | SealFailed]:
        """Give an instance its app, and have a spare one made for whoever comes next.

        Args:
            handle: A sealed instance that nobody has used.
            begin: What to become.
            start: What else it is told.
            notice: Takes the messages that come before the answer (log records, warnings).
            requests: What it is to do when it has started; it need not wait for it.

        Returns:
            Whether it is ready, or why not.

        Raises:
            InstanceGone: It ended meanwhile.
            DeadlinePassed: It took longer than `COLD_START_TIMEOUT_S`.
        """
        if not is_alike(handle.begun, begin):
            self._become(handle, begin)
        handle.post(changes_since(handle.begun, begin, start))
        for message in requests:
            handle.post(message)
        if handle.recipe.start == "cold":
            # now, so that the next fork goes on while this instance imports and serves
            self.prepare_spare(handle.recipe, begin)
        deadline = time.monotonic() + COLD_START_TIMEOUT_S
        while True:
            message = yield from handle.next_message(deadline)
            match message:
                case Started():
                    self._note_place(begin, start, message)
                    return message
                case StartFailed() | SealFailed():
                    return message
                case Sealed():
                    handle.is_sealed = True
                    handle.replaced = message.replaced
                case _:
                    notice(message)

    def retire(self, handle: InstanceHandle) -> None:
        """End an instance with everything that it started, without waiting for it."""
        handle.signal(Signal(instance=handle.number, action="kill"))
        with self._lock:
            self._retiring.append(handle)
            if len(self._retiring) > _MAX_RETIRING:
                self._sweep()

    def _sweep(self) -> None:
        """Close the handles of retired instances that are gone: each has four descriptors."""
        for handle in [handle for handle in self._retiring if handle.has_ended()]:
            self._retiring.remove(handle)
            self._bury(handle)

    def _bury(self, handle: InstanceHandle) -> None:
        if handle.exited is not None and handle.exited.survivors:
            self._ended.append((handle.number, handle.exited))
        handle.close()

    def abort(self, handle: InstanceHandle) -> Steps[Exited | None]:
        """End an instance so that it writes its stack to stderr first.

        Args:
            handle: The instance.

        Returns:
            How it ended; None if nobody could tell in time.
        """
        actions: tuple[Literal["abort", "kill"], ...] = ("abort", "kill")
        for action in actions:  # it may ignore the first
            handle.signal(Signal(instance=handle.number, action=action))
            with contextlib.suppress(DeadlinePassed):
                return (yield from handle.await_exit(time.monotonic() + _ABORT_TIMEOUT_S))
        return None

    def drain(self) -> Steps[tuple[tuple[int, Exited], ...]]:
        """Wait until every retired instance is gone.

        Returns:
            Of those that left something running: the number of each, and how it ended.
        """
        with self._lock:
            retiring, self._retiring = self._retiring, []
        for handle in retiring:
            # a zygote that is busy importing ends it later all the same
            with contextlib.suppress(DeadlinePassed):
                yield from handle.await_exit(time.monotonic() + _END_TIMEOUT_S)
            self._bury(handle)
        with self._lock:
            ended, self._ended = tuple(self._ended), []
        return ended

    def close(self) -> None:
        """End everything; nothing is left when this returns."""
        with self._lock:
            for isolation in list(self._zygotes):
                self._discard_zygote(isolation)
            for handle in self._retiring:
                handle.close()
            self._retiring.clear()
