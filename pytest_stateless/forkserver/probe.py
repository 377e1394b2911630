"""Whether this machine allows the isolation: a full dry run in a fork, never a version check."""

from __future__ import annotations

import contextlib
import os
import traceback
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_stateless.errors import SandboxSetupError
from pytest_stateless.guest.sandbox import linux
from pytest_stateless.guest.sandbox.apply import apply
from pytest_stateless.guest.sandbox.plan import plan_instance, plan_namespaces, plan_zygote
from pytest_stateless.guest.sandbox.prove import prove
from pytest_stateless.wire.control import Seal

if TYPE_CHECKING:
    from pytest_stateless.wire.control import Disk

_TMP_BYTES = 1 << 20
_OK = "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What the dry run showed.

    Attributes:
        is_privileged: Whether it needed no user namespace.
        refusal: What was refused, with system call and error number; empty if nothing was.
    """

    is_privileged: bool
    refusal: str = ""


def probe(disk: Disk | None = None) -> Probe:
    """Seal a throw-away process as an instance is sealed, and prove it.

    Args:
        disk: A disk of its own, if it shall have one.

    Returns:
        What happened.
    """
    if not os.path.exists("/proc/self/ns/mnt"):
        return Probe(is_privileged=False, refusal="mount namespaces exist on Linux only")
    is_privileged = linux.has_capability(linux.CAP_SYS_ADMIN)
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        # the child calls nothing that another thread of the test process could have locked
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        _run(writer, Seal(tmp_bytes=_TMP_BYTES, disk=disk), is_privileged=is_privileged)
    os.close(writer)
    with open(reader, "rb") as file:
        said = file.read().decode(errors="replace")
    os.waitpid(pid, 0)
    return Probe(is_privileged=is_privileged, refusal="" if said == _OK else said or "it crashed")


def _run(writer: int, seal: Seal, *, is_privileged: bool) -> None:
    said = _OK
    try:
        apply(
            plan_namespaces(
                uid=os.getuid(), gid=os.getgid(), is_privileged=is_privileged, has_pid=False
            )
        )
        apply(plan_zygote(has_pid=False))
        apply(plan_instance(seal, is_privileged=is_privileged))
        prove(seal)
    except SandboxSetupError as error:
        said = str(error)
    except BaseException:  # noqa: BLE001 (a fork must not return into pytest)
        said = traceback.format_exc()
    finally:
        with contextlib.suppress(OSError):
            os.write(writer, said.encode())
        os._exit(0)
