"""Sealing this process, however it came to be: as the plan says, then proved from inside."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from pytest_stateless.guest.observe import hook
from pytest_stateless.guest.sandbox import landlock, prove
from pytest_stateless.guest.sandbox.apply import apply
from pytest_stateless.guest.sandbox.plan import DEVICES, DetourPython, plan_instance
from pytest_stateless.wire.control import Seal

if TYPE_CHECKING:
    from pytest_stateless.model.isolation import IsolationName

_DETOUR = "pytest_stateless.guest.sandbox.detour"


class _State:
    """How this process is sealed."""

    __slots__ = ("isolation",)

    def __init__(self) -> None:
        self.isolation: IsolationName | None = None


_STATE = _State()


def active_isolation() -> IsolationName | None:
    """Return what seals this process; None if nothing does."""
    return _STATE.isolation


def seal_process(seal: Seal, *, is_privileged: bool, private: str = "") -> None:
    """Seal this process for ever.

    Args:
        seal: Its filesystem.
        is_privileged: Whether the process is real root.
        private: An empty folder of its own, absolute and without links, that stands for `/tmp`
            where the isolation cannot mount one.

    Raises:
        SandboxSetupError: It could not be sealed, or the seal does not hold.
    """
    if seal.isolation != "namespace":
        prepare_detours()
    is_linux = sys.platform == "linux"
    apply(plan_instance(seal, is_privileged=is_privileged, private=private, is_linux=is_linux))
    prove.prove(seal)
    _STATE.isolation = seal.isolation


def plan_ahead(seal: Seal, *, is_privileged: bool, private: str = "") -> None:
    """Work out in the process that forks how its next fork is sealed, for that to find.

    Args:
        seal: As in `seal_process`.
        is_privileged: As in `seal_process`.
        private: As in `seal_process`.
    """
    plan_instance(seal, is_privileged=is_privileged, private=private, is_linux=True)


def rehearse(isolation: IsolationName, *, is_privileged: bool) -> None:
    """Do once, in a process that is sealed and about to be forked, what each fork would do anew.

    Nothing is sealed by it.

    Args:
        isolation: What seals the forks.
        is_privileged: Whether the process is real root.
    """
    seal = Seal(tmp_bytes=0, isolation=isolation)
    plan_instance(seal, is_privileged=is_privileged, private="/tmp/rehearsal")
    if isolation == "landlock":
        landlock.version()
    prove.rehearse(seal)


def seal_interpreter(seal: Seal, private: str) -> None:
    """Seal the interpreter again, after an exec in a process that is sealed.

    What the kernel enforces has stayed; what the interpreter does has gone with the old one.

    Args:
        seal: As before.
        private: As before.
    """
    plan = plan_instance(seal, is_privileged=False, private=private)
    detours = tuple(one for one in plan if isinstance(one, DetourPython))
    if detours:
        prepare_detours()
        apply(detours)
    _STATE.isolation = seal.isolation


def lead_programs_to_tmp() -> None:
    """Name the folder that stands for `/tmp` in TMPDIR, where `/tmp` is the host's for programs."""
    state = sys.modules.get(f"{_DETOUR}.session")
    view = state.SESSION.view if state is not None else None
    if view is None:
        return
    os.environ["TMPDIR"] = view.private
    tempfile: Any = sys.modules.get("tempfile")
    if tempfile is not None:
        tempfile.tempdir = None  # what it has found before


def is_kernel_refusal(path: str) -> bool:
    """Tell whether it is Landlock that refuses a write, rather than permissions.

    It answers both in the same way, EACCES. What permissions would allow, it has refused.

    Args:
        path: What was written to, absolute.

    Returns:
        False too where Landlock does not seal this process.
    """
    if _STATE.isolation != "landlock":
        return False
    from pytest_stateless.guest.sandbox.detour.guard import is_refused_beyond_permissions  # noqa: PLC0415 (where it is used)

    return is_refused_beyond_permissions(path)


def prepare_detours() -> None:
    """Put in what an isolation without mounts needs in the interpreter; it does nothing yet.

    In this order: the observer's hook sees an attempt before the guard's refuses it, and its wrap
    of `sqlite3.connect` is around the detour.
    """
    from pytest_stateless.guest.sandbox.detour import install  # noqa: PLC0415 (where it is used)

    install.prepare()
    hook.install()


def guard_imports(folder: str) -> None:
    """Refuse writes of this process from now on, but for one folder: it imports what may write.

    Args:
        folder: Absolute and without links.
    """
    prepare_detours()
    from pytest_stateless.guest.sandbox.detour import install  # noqa: PLC0415 (where it is used)

    install.guard_writes((folder,), tuple(f"/dev/{name}" for name in DEVICES))
