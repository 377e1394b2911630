"""Processes that an instance has started, found and signalled through `/proc`.

They are known by two signs. Whoever outlives its parent becomes a child of the zygote, which is
the first process of its PID namespace or a sub-reaper. And whatever an instance starts shares
its mount namespace, however often it forks. Where instances have none, each of them is a
sub-reaper itself: what it starts stays among its descendants, until it ends.

Source: proc_pid_stat(5), proc_pid_ns(5), PR_SET_CHILD_SUBREAPER of prctl(2).
"""

from __future__ import annotations

import contextlib
import os
import signal

_SHOWN_PROCESSES = 40
_SHOWN_BYTES = 200
"""How much is told of processes that had to be killed. Together it must fit into a pipe that
nobody reads yet, or the zygote would stand still."""
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def resident_bytes(pid: int) -> int:
    """Return the resident set size of a process in bytes, 0 if it is gone."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0


def signal_group(pid: int, number: signal.Signals, *, has_namespaces: bool = True) -> None:
    """Signal an instance's process and everything that it has started.

    Args:
        pid: The process.
        number: The signal.
        has_namespaces: Whether the instance has a mount namespace of its own.
    """
    for member in _namespace_members(pid) if has_namespaces else _descendants(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(member, number)


def _namespace_members(pid: int) -> list[int]:
    namespace = _mount_namespace(pid)
    return [
        other
        for other in _all_pids()
        if other == pid or (namespace and _mount_namespace(other) == namespace)
    ]


def _descendants(pid: int) -> list[int]:
    """Find a process and its descendants, ancestors first."""
    children: dict[int, list[int]] = {}
    for other in _all_pids():
        children.setdefault(_parent(other), []).append(other)
    found = [pid]
    for member in found:  # it grows as it is walked
        found += children.get(member, [])
    return found


def kill_orphans(live: set[int], *, has_namespaces: bool = True) -> tuple[str, ...]:
    """Kill and reap every child of this process that belongs to no live instance.

    Args:
        live: Process ids of the live instances.
        has_namespaces: Whether instances have mount namespaces of their own.

    Returns:
        Command lines of those that were still running, the first of them and their beginnings.
    """
    me = os.getpid()
    found: list[str] = []
    keep = {_mount_namespace(pid) for pid in live} - {""} if has_namespaces else set()
    while True:
        orphans = [
            pid
            for pid in _all_pids()
            if pid not in live
            and _parent(pid) == me
            and not (keep and _mount_namespace(pid) in keep)
        ]
        for pid in orphans:
            command = _command_line(pid)
            if command and len(found) < _SHOWN_PROCESSES:
                found.append(command)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
        if not orphans:
            return tuple(found)


def _all_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _parent(pid: int) -> int:
    fields = _status(pid)[1]
    return int(fields[1]) if fields else 0


def _status(pid: int) -> tuple[str, list[bytes]]:
    """Read a process's name, and what proc_pid_stat(5) has behind it; empty if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            head, _, rest = file.read().rpartition(b")")
    except OSError:
        return "", []
    return os.fsdecode(head.partition(b"(")[2]), rest.split()


def _mount_namespace(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/mnt")
    except OSError:
        return ""


def _command_line(pid: int) -> str:
    """Return the beginning of the command line, empty for a zombie."""
    name, fields = _status(pid)
    if not fields or fields[0] == b"Z":
        return ""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            command = os.fsdecode(file.read(_SHOWN_BYTES).replace(b"\0", b" ").strip())
    except OSError:
        return ""
    # in the middle of an exec there is none yet
    return command or f"[{name}]"
