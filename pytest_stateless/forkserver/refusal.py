"""Why a machine refuses an isolation, as far as it says so itself, and the way out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_stateless.model.isolation import IsolationName

_APPARMOR = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"
_CLONE = "/proc/sys/kernel/unprivileged_userns_clone"
_MOST = "/proc/sys/user/max_user_namespaces"
_FILTERED = "\nSeccomp:\t2"


def explain(isolation: IsolationName, refusal: str) -> str:
    """Word why an isolation cannot be had.

    Args:
        isolation: Which.
        refusal: What was refused, with system call and error.

    Returns:
        What happened, why as far as it can be told, and what to do.
    """
    causes = _causes(isolation, refusal)
    why = f" ({'; '.join(causes)})" if causes else ""
    return (
        f"isolation '{isolation}' cannot be had on this machine: {refusal}{why}; {_WAYS[isolation]}"
        "take what works (stateless_isolation = auto), or run with --no-stateless, which enforces "
        "nothing"
    )


_WAYS = {
    "namespace": (
        "allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1, "
        "kernel.apparmor_restrict_unprivileged_userns=0; in a container: "
        "--security-opt seccomp=unconfined), "
    ),
    "landlock": (
        "use a kernel that has Landlock on (Linux 5.13, lsm=landlock,... among its parameters), "
    ),
    "fake": "",
}


def _causes(isolation: IsolationName, refusal: str) -> list[str]:
    causes: list[str] = []
    if "[ENOSYS]" in refusal:
        causes.append("this kernel is too old, or a filter says so")
    if "[EOPNOTSUPP]" in refusal:
        causes.append("this kernel has it turned off")
    if isolation == "namespace" and os.getuid() != 0:
        causes += _limits_of_users()
    if _FILTERED in _read("/proc/self/status"):
        causes.append("a seccomp filter is on, as in a container")
    return causes


def _limits_of_users() -> list[str]:
    limits = (
        (_APPARMOR, "1", "AppArmor restricts user namespaces"),
        (_CLONE, "0", "user namespaces are for root only"),
        (_MOST, "0", "the number of user namespaces is limited to none"),
    )
    return [
        f"{what}: {path.removeprefix('/proc/sys/').replace('/', '.')} = {value}"
        for path, value, what in limits
        if _read(path).strip() == value
    ]


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
