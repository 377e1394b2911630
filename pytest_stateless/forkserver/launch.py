"""The first process of a zygote: makes its namespaces, forks it, and waits for it.

A process cannot move itself into a new PID namespace, only its children; so the zygote is this
process's child, and the first process of that namespace: when it ends, the kernel kills all that
is left in it. Where there is no such namespace, this process does it.
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
from pytest_stateless.guest.sandbox.plan import FILE_CAPABILITIES, plan_namespaces, plan_zygote
from pytest_stateless.guest.sealing import guard_imports
from pytest_stateless.wire.control import Ready, Unavailable

PROGRAM = (
    "import sys; sys.path[:] = {path!r}; "
    "from pytest_stateless.forkserver.launch import main; "
    "main({control}, {host_pid}, has_pid={has_pid}, folder={folder!r})"
)
"""What the new interpreter runs."""


def main(control_fd: int, host_pid: int, *, has_pid: bool, folder: str = "") -> NoReturn:
    """Become a zygote.

    Args:
        control_fd: The socket to the host.
        host_pid: Process id of the host; when it ends, so does the zygote.
        has_pid: Whether to make a PID namespace.
        folder: Where its instances have their folders; empty to make namespaces instead.
    """
    control = Channel(socket.socket(fileno=control_fd))
    host = os.pidfd_open(host_pid)
    sys.dont_write_bytecode = True
    is_privileged = linux.has_capability(linux.CAP_SYS_ADMIN)
    try:
        if not folder:
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
            _await_end(child, folder)
        linux.die_with_parent()
        # an instance that signals its process group shall not reach the process above
        os.setsid()
        if not has_pid:
            linux.adopt_orphans()
        if folder:
            # what is imported ahead writes nowhere either
            guard_imports(folder)
            linux.narrow_bounds("narrow bounds", FILE_CAPABILITIES)
        else:
            apply(plan_zygote(has_pid=has_pid))
    except SandboxSetupError as error:
        control.send(
            Unavailable(operation=error.operation, syscall=error.syscall, errno=error.errno)
        )
        os._exit(1)
    control.send(Ready(has_pid_namespace=has_pid))
    Zygote(control, host, is_privileged=is_privileged, folder=folder).run()
    os._exit(0)


def _await_end(child: int, folder: str) -> NoReturn:
    """Wait for the zygote, and kill and remove what it left behind where no namespace did."""
    _, status = os.waitpid(child, 0)
    kill_orphans(set())
    if folder:
        from pytest_stateless.forkserver import folders  # noqa: PLC0415 (where it is used)

        folders.remove(folder)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
