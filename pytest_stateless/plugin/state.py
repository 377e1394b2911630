"""What the plugin keeps for a session, in pytest's stash."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_stateless.model.totals import SessionTotals  # noqa: TC004
    from pytest_stateless.session.platform import Platform  # noqa: TC004 (heavy: nothing reads the annotations)
    from pytest_stateless.session.services import Services  # noqa: TC004
    from pytest_stateless.session.stateless import Stateless  # noqa: TC004


@dataclass(slots=True, kw_only=True)
class State:
    """The session's own.

    Attributes:
        not_enforced: Why nothing is enforced; empty if everything is.
        item: The test that runs.
        platform: The simulated platform, once the fixture has been asked for.
        stateless: The object behind the fixture, likewise.
        totals: What has been counted, once the session is over; on the controller of
            pytest-xdist, of all workers.
        told: Keys of the findings that have been told in this session.
        told_here: Keys of those that have been told in the running test or example.
        services: What outlives instances, once a fixture has asked for any of it.
        late: What fails the tear-down of the test whose tear-down ends the platform.
    """

    not_enforced: str = ""
    item: pytest.Item | None = None
    platform: Platform | None = None
    stateless: Stateless | None = None
    totals: list[SessionTotals] = field(default_factory=list)
    told: set[tuple[object, ...]] = field(default_factory=set)
    told_here: set[tuple[object, ...]] = field(default_factory=set)
    services: Services | None = None
    late: str = ""


STATE = pytest.StashKey[State]()
SECTIONS = pytest.StashKey[list[tuple[str, str]]]()
"""Sections to add to the report of a test that failed: title and text."""
