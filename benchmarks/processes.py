"""Processes as `/proc` shows them."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_stateless.session.platform import Platform


def all_pids() -> Iterator[int]:
    """Yield the process ids of this PID namespace and of those below it."""
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            yield int(path.name)


def parents() -> dict[int, int]:
    """Return the parent of each process."""
    found: dict[int, int] = {}
    for pid in all_pids():
        with contextlib.suppress(OSError):
            stat = Path(f"/proc/{pid}/stat").read_bytes()
            found[pid] = int(stat.rpartition(b")")[2].split()[1])
    return found


def children(pid: int) -> tuple[int, ...]:
    """Return the children of a process."""
    return tuple(child for child, parent in parents().items() if parent == pid)


def descendants(pid: int) -> tuple[int, ...]:
    """Return the children of a process, their children, and so on."""
    tree = parents()
    found: list[int] = []
    pending = [pid]
    while pending:
        parent = pending.pop()
        born = [child for child, other in tree.items() if other == parent]
        found += born
        pending += born
    return tuple(found)


def marked(token: bytes) -> tuple[int, ...]:
    """Find processes whose first environment has a text in it, whoever their parent is by now.

    Args:
        token: The text.

    Returns:
        Their ids.
    """
    found: list[int] = []
    for pid in all_pids():
        with contextlib.suppress(OSError):
            if token in Path(f"/proc/{pid}/environ").read_bytes():
                found.append(pid)
    return tuple(found)


def zygote_pid(platform: Platform) -> int:
    """Return the process id of a platform's zygote: the only child of its first process."""
    (pid,) = children(platform.fleet.zygote().pid)
    return pid
