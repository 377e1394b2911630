"""The simulated platform: decides which instance serves a request, and keeps its instances."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pytest_stateless.errors import ConfigurationError
from pytest_stateless.instance.drive import run
from pytest_stateless.instance.fleet import Fleet
from pytest_stateless.instance.recipe import Recipe
from pytest_stateless.judge.places import Places
from pytest_stateless.model.first_party import FirstParty
from pytest_stateless.model.totals import SessionTotals
from pytest_stateless.session import provision
from pytest_stateless.session.conversation import Conversation
from pytest_stateless.session.host_coverage import HostCoverage
from pytest_stateless.session.ledger import Ledger
from pytest_stateless.session.settings import Settings
from pytest_stateless.session.unenforced import LocalConversation, LocalServers
from pytest_stateless.wire.control import Signal
from pytest_stateless.wire.messages import Start

if TYPE_CHECKING:
    from pytest_stateless.instance.handle import InstanceHandle
    from pytest_stateless.model.finding import Finding
    from pytest_stateless.model.place import Frame
    from pytest_stateless.session.ledger import Entry
    from pytest_stateless.session.provision import Surroundings
    from pytest_stateless.wire.messages import Begin


ColdStart = tuple[str, str, str]
"""A cold start that failed: the app, the step, and what it raised."""


class Platform:
    """What a session's requests run on.

    Args:
        surroundings: What stays the same for the session.
        is_enforced: Whether requests are served by sealed instances; if not, by this process.
    """

    def __init__(self, surroundings: Surroundings, *, is_enforced: bool = True) -> None:
        self.surroundings = surroundings
        self.is_enforced = is_enforced
        self.settings = Settings()
        self.boundary = FirstParty(roots=(surroundings.rootdir,))
        self.places = Places(rootdir=surroundings.rootdir)
        self.ledger = Ledger()
        self.totals = SessionTotals()
        self.coverage = HostCoverage()
        self.fleet = Fleet(self.coverage.merge)
        self.is_warm = False
        self._test = ""
        self._failing: ColdStart | None = None
        self._told: dict[ColdStart, str] = {}
        self._warm: InstanceHandle | None = None
        self._service_paths: list[str] = []
        self._has_learnt = False
        self._local = LocalServers()

    # the test

    def configure(self, settings: Settings, test: str = "") -> None:
        """Take the settings of a test; forgets what the test before declared.

        Args:
            settings: Of the test.
            test: Its node id.
        """
        self.settings = settings
        self._test = test
        self._has_learnt = False
        self._service_paths = []
        self.boundary = provision.first_party(settings, self.surroundings)
        self.places = Places(
            rootdir=self.surroundings.rootdir, source_map=provision.source_map(self.boundary)
        )
        self.reset()

    def reset(self) -> None:
        """Forget everything that a test or an example has done; its instances end."""
        self.end_warm()
        self.is_warm = False
        self._settle()
        self._count()
        self._failing = None
        self.ledger = Ledger()

    def note_failed_start(self, start: ColdStart) -> str:
        """Take down how an app failed to start.

        Args:
            start: App, step and error.

        Returns:
            The node id of the test whose report says so in full, if that is another one.
        """
        self._failing = start
        first = self._told.get(start, "")
        return "" if first == self._test else first

    def note_told(self) -> None:
        """Take down that the test's report says in full how the app failed to start."""
        if self._failing is not None:
            self._told.setdefault(self._failing, self._test)

    def findings(self) -> tuple[Finding, ...]:
        """Return the findings of the test so far, also those that no instance saw itself.

        Returns:
            The findings.
        """
        self._settle()
        return self.ledger.findings()

    def _settle(self) -> None:
        """Wait until every retired instance is gone, and learn what it had left."""
        for number, exited in run(self.fleet.drain()):
            self.ledger.note_leftovers(number, exited.survivors)

    def _count(self) -> None:
        totals = self.totals
        for entry in self.ledger.entries:
            totals.requests += 1
            if entry.exchange.is_cold:
                totals.instances += 1
                totals.cold_starts_s.append(entry.exchange.cold_start_s)
            if entry.exchange.is_complete:
                totals.handlings_s.append(entry.exchange.handling_s)
        totals.dropped = list(dict.fromkeys(self.fleet.dropped))

    def declare_service_path(self, path: str) -> None:
        """Make a folder writable for the instances of this test.

        Args:
            path: An existing folder, or a file: then its folder.

        Raises:
            ConfigurationError: There is no such folder.
        """
        self._service_paths.append(_service_folder(path))

    def converse(self, title: str, *, with_app: bool) -> tuple[Entry, Conversation]:
        """Open an exchange.

        Args:
            title: Method and target, or the event's kind.
            with_app: Whether it needs the app.

        Returns:
            Its entry in the ledger, and the conversation to have.

        Raises:
            ConfigurationError: It needs an app and none is set.
        """
        if with_app and not self.settings.app:
            raise ConfigurationError(
                'no app is set; write stateless_app = "module:attribute" in the ini file, '
                "give --stateless-app, or mark the test with @pytest.mark.stateless(app=...)"
            )
        if self.is_enforced:
            self._preload_coverage()
            if with_app:
                self._learn()
        entry = self.ledger.open(title, self.settings.platform, self.places)
        if not self.is_enforced:
            local = LocalConversation(self, entry, self._local, with_app=with_app)
            return entry, local
        return entry, Conversation(self, entry, with_app=with_app)

    # instances

    def recipe(self) -> Recipe:
        """Return what an instance of this test is made by.

        Raises:
            ConfigurationError: A service path of the settings does not exist.
        """
        # not before: a fixture of the test may have to make it
        folders = [_service_folder(path) for path in self.settings.service_paths]
        seal = provision.seal(self.settings, self.surroundings, folders + self._service_paths)
        return Recipe(
            seal=seal,
            memory_bytes=self.settings.platform.memory_bytes,
            is_spawn=self.settings.start == "spawn",
        )

    def begin(self, *, with_app: bool) -> Begin:
        """Return what an instance of this test becomes.

        Args:
            with_app: Whether it serves the app.

        Returns:
            The message.
        """
        coverage = self.coverage.order() if self.is_enforced else None
        return provision.begin(self.settings, self.boundary, with_app=with_app, coverage=coverage)

    def start(self) -> Start:
        """Return what else an instance of this test is told when it starts."""
        return Start(
            log_levels=provision.log_levels(),
            wants_place=self.settings.app not in self.fleet.app_places,
        )

    @property
    def app_place(self) -> Frame | None:
        """Where the app is defined, once an instance has told."""
        return self.fleet.app_places.get(self.settings.app)

    def prepare(self) -> None:
        """Start the zygote, learn the app's imports and fork a spare, unless that is done.

        Raises:
            SandboxUnavailableError: This machine refuses the isolation.
        """
        if not self.is_enforced:
            return
        self.fleet.zygote()
        self._preload_coverage()
        self._learn()
        if self.settings.start != "spawn":
            self.fleet.prepare_spare(self.recipe(), self.begin(with_app=bool(self.settings.app)))

    def _preload_coverage(self) -> None:
        if self.settings.start != "spawn" and self.coverage.order() is not None:
            self.fleet.preload_coverage(self.begin(with_app=False))

    def _learn(self) -> None:
        settings = self.settings
        is_due = settings.app and settings.preloads and not self._has_learnt
        if not is_due or settings.start == "spawn" or self.fleet.knows(settings.app):
            return
        self._has_learnt = True  # once a test: if it fails, the instance says why
        run(self.fleet.learn(self.begin(with_app=True), self.start(), self.recipe()))

    def take_warm(self) -> InstanceHandle | None:
        """Return the shared instance of a `warm()` block, thawed; None if there is none yet."""
        handle, self._warm = self._warm, None
        if handle is not None:
            handle.signal(Signal(instance=handle.number, action="thaw"))
        return handle

    def release(self, handle: InstanceHandle) -> None:
        """Give an instance back after an exchange: frozen if it is shared, else ended."""
        if self.is_warm and self._warm is None:
            handle.signal(Signal(instance=handle.number, action="freeze"))
            self._warm = handle
        else:
            self.fleet.retire(handle)

    def end_warm(self) -> None:
        """End the shared instance, if there is one."""
        if self._warm is not None:
            self.fleet.retire(self._warm)
            self._warm = None

    def close(self) -> SessionTotals:
        """End everything.

        Returns:
            What the session has counted.
        """
        self.reset()
        self.fleet.close()
        self.coverage.write()
        self._local.close()
        return self.totals


def _service_folder(path: str) -> str:
    folder = path if os.path.isdir(path) else os.path.dirname(path)  # noqa: PTH112, PTH120
    if not os.path.isdir(folder):  # noqa: PTH112
        raise ConfigurationError(
            f"service path {path!r} does not exist; make it before the first request"
        )
    return os.path.abspath(folder)  # noqa: PTH100 (a string goes on)
