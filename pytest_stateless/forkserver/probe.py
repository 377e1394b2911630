"""Whether this machine allows an isolation: a full dry run in a fork, never a version check."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import traceback
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_stateless.errors import SandboxSetupError, SandboxUnavailableError
from pytest_stateless.forkserver import folders
from pytest_stateless.forkserver.refusal import explain
from pytest_stateless.forkserver.spawner import can_fork
from pytest_stateless.guest.sandbox import linux
from pytest_stateless.guest.sandbox.apply import apply
from pytest_stateless.guest.sandbox.plan import plan_namespaces, plan_zygote
from pytest_stateless.guest.sealing import seal_process
from pytest_stateless.model.isolation import NAMES
from pytest_stateless.wire.control import Seal

if TYPE_CHECKING:
    from pytest_stateless.model.isolation import IsolationName
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


@functools.cache
def probe(isolation: IsolationName = "namespace", disk: Disk | None = None) -> Probe:
    """Seal a throw-away process as an instance is sealed, and prove it; once for each kind.

    Args:
        isolation: What to seal it by.
        disk: A disk of its own, if it shall have one.

    Returns:
        What happened.
    """
    if not can_fork():
        # an instance that is a new interpreter seals itself, and proves it
        is_possible = isolation == "fake"
        refusal = f"it needs Linux, and a fork; this is {sys.platform}"
        return Probe(is_privileged=False, refusal="" if is_possible else refusal)
    is_privileged = linux.has_capability(linux.CAP_SYS_ADMIN)
    base = "" if isolation == "namespace" else folders.make_base()
    private = folders.make(base, "probe") if base else ""
    seal = Seal(tmp_bytes=_TMP_BYTES, isolation=isolation, disk=disk)
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        # the child calls nothing that another thread of the test process could have locked
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        _run(writer, seal, private, is_privileged=is_privileged)
    os.close(writer)
    with open(reader, "rb") as file:
        said = file.read().decode(errors="replace")
    os.waitpid(pid, 0)
    folders.remove(base)
    return Probe(is_privileged=is_privileged, refusal="" if said == _OK else said or "it crashed")


def _run(writer: int, seal: Seal, private: str, *, is_privileged: bool) -> None:
    said = _OK
    try:
        if seal.isolation == "namespace":
            apply(
                plan_namespaces(
                    uid=os.getuid(), gid=os.getgid(), is_privileged=is_privileged, has_pid=False
                )
            )
            apply(plan_zygote(has_pid=False))
        seal_process(seal, is_privileged=is_privileged, private=private)
    except SandboxSetupError as error:
        said = str(error)
    except BaseException:  # noqa: BLE001 (a fork must not return into pytest)
        said = traceback.format_exc()
    finally:
        with contextlib.suppress(OSError):
            os.write(writer, said.encode())
        os._exit(0)


def strongest() -> IsolationName:
    """Find the strongest isolation that this machine allows.

    Returns:
        Its name.

    Raises:
        SandboxUnavailableError: It allows none.
    """
    for name in NAMES:
        if not probe(name).refusal:
            return name
    raise SandboxUnavailableError(explain(NAMES[-1], probe(NAMES[-1]).refusal))


def require(isolation: IsolationName) -> None:
    """Insist on an isolation.

    Args:
        isolation: Which.

    Raises:
        SandboxUnavailableError: This machine refuses it.
    """
    found = probe(isolation)
    if found.refusal:
        raise SandboxUnavailableError(explain(isolation, found.refusal))
