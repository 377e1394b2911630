"""Samples of times, and tables of them."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_QUARTILES = 4
_MILLI = 1000.0


class Samples:
    """Times of one thing in seconds, taken in turns with those of others."""

    def __init__(self, values_s: Iterable[float] = ()) -> None:
        self.values_s = list(values_s)

    def take(self, action: Callable[[], object]) -> None:
        """Do something once, and note how long it took."""
        started = time.perf_counter()
        action()
        self.values_s.append(time.perf_counter() - started)

    @property
    def median_s(self) -> float:
        """The median in seconds."""
        return statistics.median(self.values_s)

    @property
    def least_s(self) -> float:
        """The least in seconds, which what else the machine does disturbs least."""
        return min(self.values_s)

    @property
    def spread(self) -> str:
        """First and third quartile in milliseconds."""
        if len(self.values_s) < _QUARTILES:
            return ""
        first, _, third = statistics.quantiles(self.values_s, n=_QUARTILES)
        return f"{first * _MILLI:.2f} .. {third * _MILLI:.2f}"


def milliseconds(seconds: float) -> str:
    """Write a time as milliseconds, right-aligned by the table."""
    return f"{seconds * _MILLI:.2f}"


def print_table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table: the first column to the left, the others to the right.

    Args:
        title: A line above it.
        header: Of each column.
        rows: As many texts each.
    """
    table = [tuple(header), *(tuple(row) for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    print(f"\n{title}")
    for row in table:
        first, *others = (
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join(("  " + first, *others)).rstrip())
