"""The first process of a zygote: makes its namespaces, forks it, and waits for it.

A process cannot move itself into a new PID namespace, only its children; so the zygote is this
process's child, and the first process of that namespace: when it ends, the kernel kills all that
is left in it.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import NoReturn

from pytest_stateless.errors import SandboxSetupError
from pytest_stateless.forkserver.processes import kill_orphans
from pytest_stateless.forkserver.zygote import Zygote
from pytest_stateless.guest.channel import Channel
from pytest_stateless.guest.sandbox import linux
from pytest_stateless.guest.sandbox.apply import apply
from pytest_stateless.guest.sandbox.plan import plan_namespaces, plan_zygote
from pytest_stateless.wire.control import Ready, Unavailable

PROGRAM = (
    "import sys; sys.path[:] = {path!r}; "
    "from pytest_stateless.forkserver.launch import main; "
    "main({control}, {host_pid}, has_pid={has_pid})"
)
"""What the new interpreter runs."""


def main(control_fd: int, host_pid: int, *, has_pid: bool) -> NoReturn:
    """Become a zygote.

    Args:
        control_fd: The socket to the host.
        host_pid: Process id of the host; when it ends, so does the zygote.
        has_pid: Whether to make a PID namespace.
    """
    control = Channel(socket.socket(fileno=control_fd))
    host = os.pidfd_open(host_pid)
    sys.dont_write_bytecode = True
    is_privileged = linux.has_capability(linux.CAP_SYS_ADMIN)
    try:
        apply(
            plan_namespaces(
                uid=os.getuid(), gid=os.getgid(), is_privileged=is_privileged, has_pid=has_pid
            )
        )
        if not has_pid:
            linux.adopt_orphans()  # here too: those of a zygote that was killed
        child = os.fork()
        if child:
            control.close()
            os.close(host)
            _await_end(child)
        linux.die_with_parent()
        # an instance that signals its process group shall not reach the process above
        os.setsid()
        if not has_pid:
            linux.adopt_orphans()
        apply(plan_zygote(has_pid=has_pid))
    except SandboxSetupError as error:
        control.send(
            Unavailable(operation=error.operation, syscall=error.syscall, errno=error.errno)
        )
        os._exit(1)
    control.send(Ready(has_pid_namespace=has_pid))
    Zygote(control, host, is_privileged=is_privileged).run()
    os._exit(0)


def _await_end(child: int) -> NoReturn:
    """Wait for the zygote, and kill what it left behind where no namespace did."""
    _, status = os.waitpid(child, 0)
    kill_orphans(set())
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
