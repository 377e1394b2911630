"""What one test, or one Hypothesis example, has shown so far."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_stateless.judge.context import ExchangeContext
from pytest_stateless.judge.exchange import judge_exchange
from pytest_stateless.judge.merge import merge
from pytest_stateless.model.exchange import Exchange
from pytest_stateless.model.finding import Finding
from pytest_stateless.model.observation import Survivor

if TYPE_CHECKING:
    from pytest_stateless.judge.places import Places
    from pytest_stateless.model.platform import PlatformProfile


@dataclass(slots=True, kw_only=True)
class Entry:
    """One exchange and what else is known of it.

    Attributes:
        exchange: The exchange.
        context: What a judgement needs.
        limits: Findings that are seen from outside: payload, timeout, a kill for memory.
        handle_number: The fleet's number of the instance that served it.
    """

    exchange: Exchange
    context: ExchangeContext
    limits: list[Finding] = field(default_factory=list)
    handle_number: int = 0

    def judge(self, reads: frozenset[str]) -> tuple[Finding, ...]:
        """Judge the exchange, given what other exchanges of the test have read."""
        exchange = self.exchange
        context = dataclasses.replace(
            self.context,
            instance=exchange.instance,
            status=exchange.status,
            error=exchange.exception.strip().rpartition("\n")[2],
            reads=reads,
        )
        return (*self.limits, *judge_exchange(exchange.observations, context))


class Ledger:
    """The exchanges of one test and their findings."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._instances: dict[int, int] = {}

    def open(self, title: str, platform: PlatformProfile, places: Places) -> Entry:
        """Start an exchange.

        Args:
            title: Method and target, or the event's kind.
            platform: Its limits.
            places: How paths are shown.

        Returns:
            Its entry.
        """
        number = len(self.entries) + 1
        exchange = Exchange(number=number, title=title)
        context = ExchangeContext(
            title=title, number=number, instance=0, platform=platform, places=places
        )
        entry = Entry(exchange=exchange, context=context)
        self.entries.append(entry)
        return entry

    def seat(self, entry: Entry, handle_number: int, isolation: str = "") -> None:
        """Note which instance serves an exchange; instances are numbered within the test."""
        entry.handle_number = handle_number
        number = self._instances.setdefault(handle_number, len(self._instances) + 1)
        entry.exchange.instance = number
        entry.context = dataclasses.replace(entry.context, instance=number, isolation=isolation)

    @property
    def instance_count(self) -> int:
        """How many instances have served."""
        return len(self._instances)

    def note_leftovers(self, handle_number: int, commands: tuple[str, ...]) -> None:
        """Note processes that had to be killed with an instance.

        The instance has told of those that it saw at the end of its last request; these were
        started by means that it does not see.

        Args:
            handle_number: The instance.
            commands: Their command lines.
        """
        served = [entry for entry in self.entries if entry.handle_number == handle_number]
        if not served or not commands:
            return
        observations = served[-1].exchange.observations
        if any(survivor.kind == "process" for survivor in observations.survivors):
            return
        late = tuple(
            Survivor(
                kind="process",
                name=command,
                target="",
                stack=(),
                runs_first_party=True,
                phase="request",
            )
            for command in commands
        )
        served[-1].exchange.observations = dataclasses.replace(
            observations, survivors=(*observations.survivors, *late)
        )

    def findings(self) -> tuple[Finding, ...]:
        """Judge everything so far.

        Returns:
            The findings, one for each rule and place, causes before consequences.
        """
        reads = frozenset(
            path for entry in self.entries for path in entry.exchange.observations.reads
        )
        found: list[Finding] = []
        for entry in self.entries:
            entry.exchange.findings = entry.judge(reads)
            found.extend(entry.exchange.findings)
        return merge(found)
