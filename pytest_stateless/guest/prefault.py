"""Page faults taken ahead: a spare instance waits anyway, a request does not like to.

After a fork, parent and child share every page until one of them writes it; then the kernel
copies it, 1,500 times in the life of a small instance, which is half of its time. Which pages are
written hardly differs from one instance to the next. So the zygote looks at what one instance had
copied, and each later spare has those pages copied while it waits.

Only the kernel's tables are read and only pages of the instance's own are touched: nothing but
time depends on it.

Source: proc_pid_pagemap(5); MADV_POPULATE_WRITE of madvise(2), since Linux 5.14.
"""

from __future__ import annotations

import ctypes
import os
from array import array
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

Range = tuple[int, int]
"""Address and length in bytes."""

_MADV_POPULATE_WRITE = 23
_PRESENT_AND_EXCLUSIVE = 1 << 63 | 1 << 56
_ENTRY_BYTES = 8
_JOINED_PAGES = 4
"""Written pages that are this near to each other make one range."""
_RANGES_BETWEEN_LOOKS = 16


def written_pages(pid: int) -> tuple[Range, ...]:
    """Find the pages that a forked process has to itself.

    Args:
        pid: The process, a child of this one.

    Returns:
        Their ranges in order; none where the kernel does not tell.
    """
    page_bytes = os.sysconf("SC_PAGE_SIZE")
    ranges: list[Range] = []
    try:
        with open(f"/proc/{pid}/pagemap", "rb", buffering=0) as pagemap:
            for start, end in _writable_mappings(pid):
                size = (end - start) // page_bytes * _ENTRY_BYTES
                data = os.pread(pagemap.fileno(), size, start // page_bytes * _ENTRY_BYTES)
                entries = array("Q", data[: len(data) // _ENTRY_BYTES * _ENTRY_BYTES])
                numbers = [
                    number
                    for number, entry in enumerate(entries)
                    if entry & _PRESENT_AND_EXCLUSIVE == _PRESENT_AND_EXCLUSIVE
                ]
                ranges += [
                    (start + first * page_bytes, (last - first + 1) * page_bytes)
                    for first, last in _runs(numbers)
                ]
    except OSError:
        return ()
    return tuple(ranges)


def _writable_mappings(pid: int) -> list[tuple[int, int]]:
    """Read the private writable mappings but the stack's, proc_pid_maps(5)."""
    mappings: list[tuple[int, int]] = []
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:
        for line in maps:
            addresses, permissions = line.split(" ", 2)[:2]
            if permissions.startswith("rw") and permissions.endswith("p") and "[stack]" not in line:
                start, _, end = addresses.partition("-")
                mappings.append((int(start, 16), int(end, 16)))
    return mappings


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    """Join numbers that are near to each other: first and last of each run."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and number - runs[-1][1] <= _JOINED_PAGES:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


@cache
def _madvise() -> Callable[[int, int, int], int]:
    function = ctypes.CDLL(None).madvise
    function.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return function


def populate(ranges: tuple[Range, ...], is_wanted: Callable[[], bool]) -> None:
    """Have pages of this process copied now.

    Args:
        ranges: Which; what is not mapped here, or cannot be had, is passed over.
        is_wanted: Tells whether somebody waits for this process; then the rest is left.
    """
    for number, (address, size) in enumerate(ranges):
        if number % _RANGES_BETWEEN_LOOKS == 0 and is_wanted():
            return
        _madvise()(address, size, _MADV_POPULATE_WRITE)
