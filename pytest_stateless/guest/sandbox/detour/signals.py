"""Which processes an instance may signal: itself and what it has started.

The kernel sees to that where it can. Where it cannot, a stray `os.kill(-1, ...)` of an app would
end everything of the user's, the tests included.
"""

from __future__ import annotations

import errno
import os

from pytest_stateless.guest.sandbox.detour import real


def check_signal(event: str, args: tuple[object, ...]) -> None:
    """Refuse a signal to another's process.

    Args:
        event: `os.kill` or `os.killpg`.
        args: Its arguments: a process or a group, and the signal.

    Raises:
        PermissionError: EPERM.
    """
    target = args[0]
    if not isinstance(target, int):
        return
    is_group = event == "os.killpg" or target <= 0
    number = abs(target) or os.getpgrp()
    if target == -1 and event == "os.kill":
        members = {1}
    elif is_group:
        members = {pid for pid, (_, group) in _processes().items() if group == number}
    else:
        members = {number}
    own = _own(members)
    if members - own:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


def _own(candidates: set[int]) -> set[int]:
    me = os.getpid()
    if candidates <= {me}:
        return candidates
    processes = _processes()
    found: set[int] = set()
    for candidate in candidates:
        pid = candidate
        while pid in processes and pid != me:
            pid = processes[pid][0]
        # one that is gone is nobody's
        if pid == me or candidate not in processes:
            found.add(candidate)
    return found


def _processes() -> dict[int, tuple[int, int]]:
    """Read parent and process group of every process, proc_pid_stat(5)."""
    found: dict[int, tuple[int, int]] = {}
    for name in real.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with real.open_file(f"/proc/{name}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        found[int(name)] = int(fields[1]), int(fields[2])
    return found
