"""The simulated platform: decides which instance serves a request, and keeps its instances."""

from __future__ import annotations

import dataclasses
import warnings
from typing import TYPE_CHECKING

from pytest_stateless.errors import ConfigurationError, StatelessWarning
from pytest_stateless.forkserver.spawner import can_fork
from pytest_stateless.guest.inherited import Inheritance
from pytest_stateless.instance.drive import run
from pytest_stateless.instance.fleet import Fleet
from pytest_stateless.instance.recipe import Recipe
from pytest_stateless.judge.places import Places
from pytest_stateless.model.first_party import FirstParty
from pytest_stateless.model.totals import SessionTotals
from pytest_stateless.session import choices, provision
from pytest_stateless.session.caller import caller_place
from pytest_stateless.session.connections import SharedConnections, find_shared
from pytest_stateless.session.conversation import Conversation
from pytest_stateless.session.counting import count
from pytest_stateless.session.host_coverage import HostCoverage
from pytest_stateless.session.ledger import Ledger
from pytest_stateless.session.services import Services
from pytest_stateless.session.settings import Settings
from pytest_stateless.session.unenforced import LocalConversation, LocalServers
from pytest_stateless.wire.control import Signal
from pytest_stateless.wire.messages import Start

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_stateless.instance.handle import InstanceHandle
    from pytest_stateless.model.finding import Finding
    from pytest_stateless.model.isolation import IsolationName
    from pytest_stateless.model.place import Frame
    from pytest_stateless.session.choices import StartMethod
    from pytest_stateless.session.ledger import Entry
    from pytest_stateless.session.provision import Surroundings
    from pytest_stateless.wire.messages import Begin


ColdStart = tuple[str, str, str]
"""A cold start that failed: the app, the step, and what it raised."""


def _nothing() -> None:
    pass


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
        self.services = Services()
        self.is_warm = False
        self._test = ""
        self._failing: ColdStart | None = None
        self._told: dict[ColdStart, str] = {}
        self._warm: InstanceHandle | None = None
        self._service_paths: list[str] = []
        self._has_learnt = False
        self.inheritance = Inheritance()
        self.before_import: Callable[[], None] = _nothing
        """Called before an instance is started that will import the app anew."""
        self._shared: SharedConnections | None = None
        self._place_of_use: Frame | None = None
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
        self.inheritance = Inheritance()
        self._shared = None
        self._place_of_use = None
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
        count(self.totals, self.ledger.entries, self.places)
        self.totals.dropped = list(dict.fromkeys(self.fleet.dropped))
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

    def declare_service_path(self, path: str) -> None:
        """Make a folder writable for the instances of this test.

        Args:
            path: An existing folder, or a file: then its folder.

        Raises:
            ConfigurationError: There is no such folder.
        """
        self._service_paths.append(choices.service_folder(path))

    def converse(
        self, title: str, *, with_app: bool, function: Callable[[], object] | None = None
    ) -> tuple[Entry, Conversation]:
        """Open an exchange.

        Args:
            title: Method and target, or the event's kind.
            with_app: Whether it needs the app.
            function: A function of this process that an instance is to run, or None.

        Returns:
            Its entry in the ledger, and the conversation to have.

        Raises:
            ConfigurationError: It needs an app and none is set.
        """
        if with_app and not self.app_name:
            raise ConfigurationError(
                'no app is set; write stateless_app = "module:attribute" in the ini file, '
                "give --stateless-app, mark the test with @pytest.mark.stateless(app=...), or "
                "give an app object with stateless.use(app), which counts for one test"
            )
        if self.is_enforced:
            self._preload_coverage()
            if with_app:
                self._learn()
        entry = self.ledger.open(title, self.settings.platform, self.places)
        if not self.is_enforced:
            local = LocalConversation(
                self, entry, self._local, with_app=with_app, function=function
            )
            return entry, local
        return entry, Conversation(self, entry, with_app=with_app, function=function)

    def check_snapshot(self, reason: str) -> None:
        """Check that an instance can be a fork of this process.

        Args:
            reason: Why it has to be.

        Raises:
            ConfigurationError: The settings insist on another start method, or this system
                cannot fork.
        """
        choices.check_snapshot(self.settings, reason, is_enforced=self.is_enforced)

    # instances

    @property
    def isolation(self) -> IsolationName:
        """What seals the instances of this test.

        Raises:
            SandboxUnavailableError: This machine refuses it, or allows none.
        """
        return choices.isolation_of(self.settings)

    def recipe(self) -> Recipe:
        """Return what an instance of this test is made by.

        Raises:
            ConfigurationError: A service path of the settings does not exist.
            SandboxUnavailableError: This machine refuses the isolation.
        """
        start, isolation = self.start_method, self.isolation
        choices.check_start(start)
        note = choices.note_on_writes(self.settings, isolation)
        if note:
            self.totals.note(note)
        # not before: a fixture of the test may have to make it
        folders = [choices.service_folder(path) for path in self.settings.service_paths]
        seal = provision.seal(
            self.settings, self.surroundings, folders + self._service_paths, isolation=isolation
        )
        memory_bytes = self.settings.platform.memory_bytes
        return Recipe(seal=seal, memory_bytes=memory_bytes, start=start)

    @property
    def start_method(self) -> StartMethod:
        """How the instances of this test come to be."""
        return choices.start_of(self.settings, has_object=self.inheritance.app is not None)

    def use(self, app: object, name: str, place: Frame | None) -> None:
        """Serve an app object of this process, until the end of the test.

        Args:
            app: The object.
            name: What to call it in messages.
            place: Where the test gave it.
        """
        self.end_warm()
        self.inheritance = Inheritance(app=app, name=name)
        self._place_of_use = place

    @property
    def app_name(self) -> str:
        """What the app is called in messages; empty if there is none."""
        return self.inheritance.name or self.settings.app

    def instance(self, function: Callable[[], object] | None = None) -> InstanceHandle:
        """Return an instance that nobody has used.

        Args:
            function: A function of this process that it is to run, or None.

        Returns:
            The instance.

        Raises:
            SandboxUnavailableError: This machine refuses the isolation.
            ConfigurationError: A service path of the settings does not exist.
        """
        recipe = self.recipe()
        if function is None and recipe.start != "snapshot":
            self.before_import()
            return self.fleet.acquire(recipe)
        inheritance = self.inheritance
        if function is not None:
            recipe = dataclasses.replace(recipe, start="snapshot")
            inheritance = Inheritance(function=function)
        return self.fleet.snapshot(
            recipe, dataclasses.replace(inheritance, forget=self._shared_connections().forget)
        )

    def _shared_connections(self) -> SharedConnections:
        """Look once a test for connections that its snapshots must not use, and warn of them."""
        if self._shared is None:
            self._shared = find_shared()
            for text in self._shared.warnings:
                place = caller_place(self.boundary)
                warnings.warn_explicit(
                    text,
                    StatelessWarning,
                    place.path if place is not None else "pytest",
                    place.line if place is not None else 1,
                )
        return self._shared

    def note_replaced(self, paths: tuple[str, ...]) -> None:
        """Take down which open files of this process its snapshots can only read."""
        for path in paths:
            self.totals.note(
                f"{self.places.show(path)} is open for writing in the test process; instances that "
                "are forked from it can only read it"
            )

    def begin(self, *, with_app: bool) -> Begin:
        """Return what an instance of this test becomes.

        Args:
            with_app: Whether it serves the app.

        Returns:
            The message.
        """
        coverage = self.coverage.order() if self.is_enforced else None
        begin = provision.begin(
            self.settings,
            self.boundary,
            with_app=with_app,
            isolation=self.isolation if self.is_enforced else "namespace",
            coverage=coverage,
        )
        return dataclasses.replace(begin, app="") if self.inheritance.app is not None else begin

    def start(self) -> Start:
        """Return what else an instance of this test is told when it starts."""
        return Start(
            log_levels=provision.log_levels(),
            wants_place=self.settings.app not in self.fleet.app_places
            and self.inheritance.app is None,
            aws=self.services.aws_route(),
        )

    @property
    def app_place(self) -> Frame | None:
        """Where the app is defined, once an instance has told, or was given by the test."""
        if self.inheritance.app is not None:
            return self._place_of_use
        return self.fleet.app_places.get(self.settings.app)

    def prepare(self) -> None:
        """Start the zygote, learn the app's imports and fork a spare, unless that is done.

        Raises:
            SandboxUnavailableError: This machine refuses the isolation.
        """
        if not self.is_enforced or self.start_method == "snapshot" or not can_fork():
            return
        self.fleet.zygote(self.isolation)
        self._preload_coverage()
        self._learn()
        if self.start_method == "cold":
            self.fleet.prepare_spare(self.recipe(), self.begin(with_app=bool(self.settings.app)))

    def _preload_coverage(self) -> None:
        if self.start_method == "cold" and self.coverage.order() is not None:
            self.fleet.preload_coverage(self.begin(with_app=False), self.isolation)

    def _learn(self) -> None:
        settings = self.settings
        is_due = settings.app and settings.preloads and not self._has_learnt
        if not is_due or self.start_method != "cold":
            return
        if self.fleet.knows(settings.app, self.isolation):
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
