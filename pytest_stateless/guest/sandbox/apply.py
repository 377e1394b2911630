"""Carrying out a plan, operation by operation."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, assert_never

from pytest_stateless.errors import SandboxSetupError
from pytest_stateless.guest.sandbox import landlock, linux
from pytest_stateless.guest.sandbox.plan import (
    AdoptOrphans,
    DetourPython,
    DropCapabilities,
    ForbidNewPrivileges,
    Hold,
    HoldCopy,
    KeepApart,
    MakePrivate,
    MakeReadOnly,
    MapUser,
    MountProc,
    MountTmp,
    NarrowBounds,
    PutBack,
    ReplaceDevices,
    ReplaceRoot,
    RestrictWrites,
    Unshare,
    describe,
)
from pytest_stateless.wire.control import DISK_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_stateless.guest.sandbox.plan import Operation


def apply(plan: Iterable[Operation]) -> None:
    """Carry out a plan; fails closed.

    Args:
        plan: The operations in order.

    Raises:
        SandboxSetupError: An operation failed; those after it were not tried.
    """
    held: dict[str, int] = {}
    try:
        for operation in plan:
            try:
                _apply(operation, held)
            except OSError as error:
                raise SandboxSetupError(
                    describe(operation), f"open {error.filename!r}", error.errno or 0
                ) from error
    finally:
        for tree in held.values():
            os.close(tree)


def _apply(operation: Operation, held: dict[str, int]) -> None:  # noqa: C901, PLR0912, PLR0915 (a table)
    what = describe(operation)
    match operation:
        case Unshare():
            linux.unshare(what, operation.namespaces)
        case MapUser():
            _map_user(operation)
        case MakePrivate():
            linux.mount(what, "none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
        case MountProc():
            flags = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC
            linux.mount(what, "proc", "/proc", kind="proc", flags=flags)
        case ReplaceDevices():
            _replace_devices(what, operation.names)
        case MakeReadOnly():
            linux.set_read_only(what, operation.path)
        case Hold():
            held[operation.path] = linux.open_tree(what, operation.path)
        case MountTmp():
            _mount_tmpfs(what, operation.path, f"mode=1777,size={operation.size_bytes}")
        case HoldCopy():
            held[operation.path] = _open_copy(what, operation)
        case ReplaceRoot():
            _replace_root(what, held["/"], operation.old)
        case PutBack():
            tree = held[operation.path]
            _make_mount_point(operation.path)
            if operation.is_writable:
                linux.set_writable(what, tree)
            linux.move_mount(what, tree, operation.path)
        case KeepApart():
            landlock.keep_apart(what)
        case NarrowBounds():
            linux.narrow_bounds(what, operation.keep)
        case DropCapabilities():
            linux.drop_capabilities(what, operation.keep)
        case ForbidNewPrivileges():
            linux.forbid_new_privileges(what)
        case AdoptOrphans():
            linux.adopt_orphans(what)
        case RestrictWrites():
            landlock.restrict_writes(what, folders=operation.folders, files=operation.devices)
        case DetourPython():
            _detour(operation)
        case _:
            assert_never(operation)


def _detour(operation: DetourPython) -> None:
    from pytest_stateless.guest.sandbox.detour import install  # noqa: PLC0415 (where it is used)

    for folder in operation.writable:
        os.stat(folder)  # as a mount would notice that it is gone
    install.show_tmp(operation.private, operation.size_bytes, operation.visible, operation.writable)
    install.guard_writes((operation.private, *operation.writable), operation.devices)
    install.guard_signals()


def _mount_tmpfs(what: str, path: str, options: str) -> None:
    flags = linux.MS_NOSUID | linux.MS_NODEV
    linux.mount(what, "tmpfs", path, kind="tmpfs", flags=flags, data=options)


def _map_user(operation: MapUser) -> None:
    # setgroups must be denied before an unprivileged process may map its group
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{operation.uid} {operation.uid} 1"),
        ("gid_map", f"{operation.gid} {operation.gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def _replace_devices(what: str, names: tuple[str, ...]) -> None:
    trees = {
        f"/dev/{name}": linux.open_tree(what, f"/dev/{name}")
        for name in names
        if os.path.exists(f"/dev/{name}")
    }
    try:
        _mount_tmpfs(what, "/dev", "mode=755,size=65536")
        os.mkdir("/dev/shm")
        os.symlink("/proc/self/fd", "/dev/fd")
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            os.symlink(f"/proc/self/fd/{number}", f"/dev/{name}")
        for path, tree in trees.items():
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
            linux.move_mount(what, tree, path)
    finally:
        for tree in trees.values():
            os.close(tree)


def _open_copy(what: str, copy: HoldCopy) -> int:
    """Make an overlay of a folder and of two new ones on the disk.

    The root of an overlay has the mode and the owner that its upper folder has. A folder that
    somebody else owns and an ordinary user may write becomes that user's: nobody else is there.
    """  # noqa: DOC201 (the summary says it)
    upper, work = (os.path.join(copy.disk, f"{copy.number}.{part}") for part in ("upper", "work"))
    lower = os.open(copy.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        status = os.fstat(lower)
        os.mkdir(work)
        os.mkdir(upper)
        if copy.marks == "trusted":
            os.chown(upper, status.st_uid, status.st_gid)
        os.chmod(upper, status.st_mode & 0o7777)
        return linux.open_overlay(
            what,
            source=DISK_NAME,
            # by its descriptor: in a list of layers some letters of a path have a meaning
            lower=f"/proc/self/fd/{lower}",
            upper=upper,
            work=work,
            is_user=copy.marks == "user",
        )
    finally:
        os.close(lower)


def _replace_root(what: str, tree: int, old: str) -> None:
    # any folder will do to mount it on: a root has no place
    linux.move_mount(what, tree, old)
    os.chdir(old)
    linux.pivot_root(what, ".", old.lstrip("/"))
    os.chdir("/")


def _make_mount_point(path: str) -> None:
    """Make the folder that a held tree is put back on, where the new tmpfs covers it."""
    if not os.path.exists(path):
        os.makedirs(path, mode=0o755)
