"""Counting what a test has sent, for the summary of the session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stateless.model.totals import SessionTotals, UnenforcedTotal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_stateless.judge.places import Places
    from pytest_stateless.session.ledger import Entry


def count(totals: SessionTotals, entries: Iterable[Entry], places: Places) -> None:
    """Add the exchanges of a test to what the session has counted.

    Args:
        totals: Of the session; it is changed.
        entries: The exchanges.
        places: How paths are shown.
    """
    for entry in entries:
        exchange = entry.exchange
        totals.requests += 1
        if exchange.is_cold:
            totals.instances += 1
            totals.cold_starts_s.append(exchange.cold_start_s)
        if exchange.is_complete:
            totals.handlings_s.append(exchange.handling_s)
        for one in exchange.observations.unenforced:
            totals.note_unenforced(
                UnenforcedTotal(
                    isolation=one.isolation,
                    gap=one.gap,
                    place=places.point(one.place),
                    operation=one.operation,
                )
            )
