from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import pytest_stateless
from pytest_stateless.forkserver.processes import resident_bytes, signal_group

ROOT = Path(pytest_stateless.__file__).parents[1]

HEAD = """
import os, signal, subprocess, sys, time
from pytest_stateless.forkserver.processes import kill_orphans, signal_group
from pytest_stateless.guest.sandbox import linux
from pytest_stateless.guest.sandbox.apply import apply
from pytest_stateless.guest.sandbox.plan import plan_namespaces

def state(pid):
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0].decode()
    except FileNotFoundError:
        return "gone"

def reach(pid, wanted):
    while state(pid) not in wanted:
        time.sleep(0.001)

def parent(pid):
    with open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[1])

def start(body):
    '''Run `body(tell)` in a child; return its process id and what it told.'''
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            body(lambda value: os.write(writer, b"%d\\n" % value))
        finally:
            os._exit(0)
    os.close(writer)
    return pid, reader

def told(reader):
    '''Return the next number that was told.'''
    return int(b"".join(iter(lambda: os.read(reader, 1), b"\\n")))

def sleep_for_ever():
    os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)", "ORPHAN"])

def leave_a_daemon(tell):
    '''Fork twice with a session in between, as daemons do, and end.'''
    if os.fork() == 0:
        os.setsid()
        pid = os.fork()
        if pid == 0:
            sleep_for_ever()
        tell(pid)
        os._exit(0)
    os.wait()

def enter_namespace(tell):
    privileged = linux.has_capability(linux.CAP_SYS_ADMIN)
    apply(plan_namespaces(
        uid=os.getuid(), gid=os.getgid(), is_privileged=privileged, has_pid=False
    ))

linux.adopt_orphans()
"""


def run(program: str) -> None:
    """Run a program as a sub-reaper, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", HEAD + textwrap.dedent(program)],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_a_daemon_is_found_killed_and_told_of_by_its_command_line() -> None:
    run("""
        pid, reader = start(leave_a_daemon)
        os.waitpid(pid, 0)
        daemon = told(reader)
        reach(daemon, "S")
        assert parent(daemon) == os.getpid(), "it has been adopted"
        (command,) = kill_orphans(set())
        assert command.endswith("time.sleep(600) ORPHAN"), command
        assert state(daemon) == "gone", "it has been reaped too"
        assert kill_orphans(set()) == ()
    """)


def test_the_children_of_an_orphan_are_killed_in_their_turn() -> None:
    run("""
        def body(tell):
            if os.fork() == 0:
                os.setsid()
                child = os.fork()
                if child == 0:
                    sleep_for_ever()
                tell(child)
                sleep_for_ever()
        pid, reader = start(body)
        os.waitpid(pid, 0)
        grandchild = told(reader)
        assert len(kill_orphans(set())) == 2
        assert state(grandchild) == "gone"
    """)


def test_a_process_that_has_ended_by_itself_is_reaped_and_not_told_of() -> None:
    run("""
        pid, _ = start(lambda tell: None)
        reach(pid, "Z")
        assert kill_orphans(set()) == ()
        assert state(pid) == "gone"
    """)


def test_processes_that_are_not_below_this_one_are_left_alone() -> None:
    with subprocess.Popen(["sleep", "600"]) as stranger:
        run("""
            pid, reader = start(leave_a_daemon)
            os.waitpid(pid, 0)
            assert len(kill_orphans(set())) == 1
        """)
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.usefixtures("sandbox")
def test_what_belongs_to_a_live_instance_is_left_alone() -> None:
    run("""
        def instance(tell):
            enter_namespace(tell)
            leave_a_daemon(tell)
            tell(0)
            sleep_for_ever()
        live, live_reader = start(instance)
        dead, dead_reader = start(instance)
        daemons = [told(reader) for reader in (live_reader, dead_reader)]
        for reader in (live_reader, dead_reader):
            assert told(reader) == 0  # the daemon's parent is gone
        os.kill(dead, signal.SIGKILL)
        os.waitpid(dead, 0)
        assert len(kill_orphans({live})) == 1
        assert [state(pid) == "gone" for pid in daemons] == [False, True]
        assert state(live) != "gone"
        assert len(kill_orphans(set())) == 2
        assert [state(pid) for pid in (live, daemons[0])] == ["gone", "gone"]
    """)


@pytest.mark.usefixtures("sandbox")
def test_a_signal_reaches_everything_in_an_instance_s_namespace_and_nothing_else() -> None:
    run("""
        def instance(tell):
            enter_namespace(tell)
            leave_a_daemon(tell)
            sleep_for_ever()
        pid, reader = start(instance)
        daemon = told(reader)
        bystander, _ = start(lambda tell: sleep_for_ever())
        signal_group(pid, signal.SIGSTOP)
        for one in (pid, daemon):
            reach(one, "T")
        assert state(bystander) != "T"
        signal_group(pid, signal.SIGCONT)
        for one in (pid, daemon):
            reach(one, "SR")
        signal_group(pid, signal.SIGKILL)
        reach(pid, "Z")
        reach(daemon, ("Z", "gone"))
        assert state(bystander) in "SR"
        kill_orphans(set())
    """)


def test_of_many_processes_some_are_shown_and_of_long_commands_the_beginnings() -> None:
    run("""
        for _ in range(45):
            start(lambda tell: os.execvp("sleep", ["sleep", "600", *["0" * 50] * 20]))
        time.sleep(0.2)
        shown = kill_orphans(set())
        assert len(shown) == 40
        assert all(len(command) <= 200 for command in shown)
        assert not [pid for pid in os.listdir("/proc") if pid.isdigit() and
                    state(pid) != "gone" and parent(pid) == os.getpid()]
    """)


def test_a_signal_to_a_process_that_is_gone_does_nothing() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    signal_group(process.pid, signal.SIGTERM)


def test_memory_is_told_in_bytes_and_as_nothing_of_a_process_that_is_gone() -> None:
    with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123 (as it reads it)
        lines = dict(line.split(":", 1) for line in status)
    resident = int(lines["VmRSS"].split()[0]) * 1024
    assert abs(resident_bytes(os.getpid()) - resident) < 50 * 1024 * 1024
    with subprocess.Popen(["true"]) as process:
        process.wait()
    assert resident_bytes(process.pid) == 0
