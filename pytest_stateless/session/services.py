"""The services of a session, and what each test finds them to hold.

A test finds what the fixtures of its class, module, package and session have left there: each of
those is followed by a snapshot, and forgotten when the fixture is torn down. What tests and their
own fixtures do is gone before the next one.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_stateless.errors import ServiceError
from pytest_stateless.service.aws.service import Aws
from pytest_stateless.service.protocol import Service
from pytest_stateless.session.mocked_aws import MockedAws, is_mocked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_stateless.wire.cloud import AwsRoute


@dataclass(slots=True, kw_only=True)
class _Kept:
    """A service and the states that tests begin with.

    Attributes:
        service: The service.
        states: Whose state each is, and the state; the last one counts.
        count: How often it had been called when it held that; -1 if it does not tell.
    """

    service: Service
    states: list[tuple[object, Any]] = field(default_factory=list)
    count: int = -1

    @property
    def is_touched(self) -> bool:
        """Whether it may hold anything else than the last state."""
        return self.count < 0 or _count(self.service) != self.count

    def put_back(self) -> None:
        """Make it hold the last state."""
        self.service.restore(self.states[-1][1])
        self.count = _count(self.service)

    def keep(self, owner: object) -> None:
        """Make what it holds the last state."""
        self.states.append((owner, self.service.snapshot()))
        self.count = _count(self.service)

    def forget(self, owner: object) -> None:
        """Let go of an owner's states, and make it hold the last one that is left."""
        dropped = [state for one, state in self.states if one is owner]
        if not dropped:
            return
        self.states = [(one, state) for one, state in self.states if one is not owner]
        try:
            self.put_back()
        except ServiceError:
            self.count = -1  # the next test that is set up says so
        for state in dropped:
            self.service.forget(state)


def _count(service: Service) -> int:
    return service.count() if isinstance(service, Aws) else -1


class Services:
    """What outlives instances, in one session."""

    def __init__(self) -> None:
        self._kept: list[_Kept] = []
        self._aws: Aws | None = None
        self._mocked = MockedAws()
        self._before: dict[str, str | None] = {}

    @property
    def all(self) -> tuple[Service, ...]:
        """All services of the session."""
        return tuple(kept.service for kept in self._kept)

    def add(self, service: Service) -> None:
        """Take a service in; its state is what tests begin with.

        Args:
            service: The service.

        Raises:
            ServiceError: Its state cannot be kept.
        """
        kept = _Kept(service=service)
        if isinstance(service, Aws):
            self._aws = service
            # nobody waits for it before its first call
            kept.states, kept.count = [(self, service.empty)], 0
        else:
            kept.keep(self)
        self._kept.append(kept)

    def remove(self, service: Service) -> None:
        """End a service.

        Args:
            service: One that was taken in.
        """
        self.leave()
        self._kept = [kept for kept in self._kept if kept.service is not service]
        if self._aws is service:
            self._aws = None
        service.close()

    def put_back(self) -> None:
        """Put all of them back to what a test begins with.

        Raises:
            ServiceError: One of them cannot be.
        """
        for kept in self._kept:
            if kept.is_touched:
                kept.put_back()

    def check(self) -> None:
        """See that AWS still answers, if the test has asked for it.

        Raises:
            ServiceError: It does not.
        """
        if self._aws is not None and self._has_aws:
            self._aws.count()

    def keep(self, owner: object, *, knows_services: bool = True) -> None:
        """Have tests begin with what the services hold now, until `forget`.

        Args:
            owner: Whose doing that is.
            knows_services: Whether it may have changed a service that does not count calls.

        Raises:
            ServiceError: A state cannot be kept.
        """
        for kept in self._kept:
            if kept.is_touched and (knows_services or kept.count >= 0):
                kept.keep(owner)

    def forget(self, owner: object) -> None:
        """Have tests begin with what there was before.

        Args:
            owner: As in `keep`.
        """
        for kept in self._kept:
            kept.forget(owner)

    def enter(self, services: Iterable[Service]) -> None:
        """Let the test process, and with it instances, find services.

        Args:
            services: Those that the test has asked for.
        """
        for service in services:
            for name, value in service.environment().items():
                self._before.setdefault(name, os.environ.get(name))
                os.environ[name] = value

    def leave(self) -> None:
        """Put the environment back."""
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._before.clear()

    def aws_route(self) -> AwsRoute | None:
        """Return where instances' AWS calls are answered now; None if only by HTTP."""
        if is_mocked():
            return self._mocked.route()
        return self._aws.route if self._aws is not None and self._has_aws else None

    @property
    def _has_aws(self) -> bool:
        """Whether the test has asked for AWS."""
        return "AWS_ENDPOINT_URL" in self._before

    def close(self) -> None:
        """End all of them."""
        self.leave()
        for kept in self._kept:
            kept.service.close()
        self._kept.clear()
        self._mocked.close()
