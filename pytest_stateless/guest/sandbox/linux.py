"""The system calls of Linux that Python lacks, each raising `SandboxSetupError`.

Loaded with ctypes on first use, so that importing this module works everywhere. System call
numbers above 423 are the same on every architecture (Linux's `scripts/syscall.tbl`).
"""

from __future__ import annotations

import ctypes
import os
import struct
from functools import cache
from typing import TYPE_CHECKING

from pytest_stateless.errors import SandboxSetupError

if TYPE_CHECKING:
    from collections.abc import Callable

CLONE_FLAGS = {"mount": 0x00020000, "ipc": 0x08000000, "user": 0x10000000, "pid": 0x20000000}
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18

_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432
_FSOPEN_CLOEXEC, _FSMOUNT_CLOEXEC = 1, 1
_FSCONFIG_SET_FLAG, _FSCONFIG_SET_STRING, _FSCONFIG_CMD_CREATE = 0, 1, 6
_AT_FDCWD = -100
_AT_EMPTY_PATH, _AT_RECURSIVE = 0x1000, 0x8000
_OPEN_TREE_CLONE, _OPEN_TREE_CLOEXEC = 1, os.O_CLOEXEC if hasattr(os, "O_CLOEXEC") else 0
_MOVE_MOUNT_F_EMPTY_PATH = 4
_MOUNT_ATTR_RDONLY, _MOUNT_ATTR_NOSUID, _MOUNT_ATTR_NODEV = 1, 2, 4

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_PR_CAPBSET_READ, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 23, 24, 38, 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522
_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF = 444, 446
_LANDLOCK_CREATE_RULESET_VERSION = 1
_LANDLOCK_SCOPE_SIGNAL, _LANDLOCK_VERSION_OF_SCOPES = 2, 6
CAP_SYS_ADMIN = 21


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(what: str, syscall: str, function: Callable[[], int]) -> int:
    result = function()
    if result < 0:
        raise SandboxSetupError(what, syscall, ctypes.get_errno())
    return result


def unshare(what: str, namespaces: tuple[str, ...]) -> None:
    """Leave namespaces of the parent; see the manual."""
    flags = sum(CLONE_FLAGS[name] for name in namespaces)
    _call(what, "unshare", lambda: _libc().unshare(flags))


def mount(  # noqa: PLR0913 (mount(2) has five arguments)
    what: str, source: str, target: str, *, kind: str = "", flags: int = 0, data: str = ""
) -> None:
    """Mount a filesystem or change a mount, see the manual."""
    encoded = [os.fsencode(text) if text else None for text in (source, target, kind, data)]
    _call(
        what,
        "mount",
        lambda: _libc().mount(encoded[0], encoded[1], encoded[2], flags, encoded[3]),
    )


def unmount(what: str, target: str) -> None:
    """Undo a mount, see umount(2) in the manual."""
    _call(what, "umount2", lambda: _libc().umount2(os.fsencode(target), 0))


def pivot_root(what: str, root: str, old: str) -> None:
    """Change the root of the mount namespace; see the manual."""
    _call(what, "pivot_root", lambda: _libc().pivot_root(os.fsencode(root), os.fsencode(old)))


def set_read_only(what: str, path: str) -> None:
    """Make a tree read-only with every mount in it, mount_setattr(2)."""
    attributes = struct.pack("=QQQQ", _MOUNT_ATTR_RDONLY, 0, 0, 0)
    _mount_setattr(what, _AT_FDCWD, os.fsencode(path), _AT_RECURSIVE, attributes)


def set_writable(what: str, tree: int) -> None:
    """Make a detached tree writable with every mount in it, mount_setattr(2)."""
    attributes = struct.pack("=QQQQ", 0, _MOUNT_ATTR_RDONLY, 0, 0)
    _mount_setattr(what, tree, b"", _AT_RECURSIVE | _AT_EMPTY_PATH, attributes)


def _mount_setattr(  # noqa: PLR0917 (the system call's own order)
    what: str, folder: int, path: bytes, flags: int, attributes: bytes
) -> None:
    _call(
        what,
        "mount_setattr",
        lambda: _libc().syscall(
            _MOUNT_SETATTR, folder, path, flags, attributes, ctypes.c_size_t(len(attributes))
        ),
    )


def open_tree(what: str, path: str) -> int:
    """Clone the mounts of a tree, detached; see the manual.

    Args:
        what: The operation, for the error.
        path: Root of the tree.

    Returns:
        A descriptor of the clone.
    """
    flags = _OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC | _AT_RECURSIVE
    return _call(
        what,
        "open_tree",
        lambda: _libc().syscall(_OPEN_TREE, _AT_FDCWD, os.fsencode(path), flags),
    )


def move_mount(what: str, tree: int, path: str) -> None:
    """Attach a detached tree at a path; see the manual."""
    _call(
        what,
        "move_mount",
        lambda: _libc().syscall(
            _MOVE_MOUNT, tree, b"", _AT_FDCWD, os.fsencode(path), _MOVE_MOUNT_F_EMPTY_PATH
        ),
    )


def open_overlay(  # noqa: PLR0913 (what an overlay consists of)
    what: str, *, source: str, lower: str, upper: str, work: str, is_user: bool
) -> int:
    """Make a detached overlay, without device nodes and set-user-id programs.

    Args:
        what: The operation, for the error.
        source: Its name in the table of mounts.
        lower: The folder that is seen through it.
        upper: An empty folder that takes what is written.
        work: An empty folder of the same filesystem, for the kernel's own use.
        is_user: Whether it is to mark files as an ordinary user may.

    Returns:
        A descriptor of the mount.

    Source: https://docs.kernel.org/filesystems/overlayfs.html; fs/overlayfs/params.c of Linux,
    which refuses `userxattr` together with `redirect_dir`.
    """
    options: list[tuple[str, str | None]] = [
        ("source", source),
        ("lowerdir", lower),
        ("upperdir", upper),
        ("workdir", work),
        ("index", "off"),
        ("xino", "auto"),
        ("userxattr", None) if is_user else ("redirect_dir", "on"),
    ]
    context = _call(what, "fsopen", lambda: _libc().syscall(_FSOPEN, b"overlay", _FSOPEN_CLOEXEC))
    try:
        for name, value in options:
            _fsconfig(what, context, name, value)
        _call(
            what,
            "fsconfig",
            lambda: _libc().syscall(_FSCONFIG, context, _FSCONFIG_CMD_CREATE, None, None, 0),
        )
        attributes = _MOUNT_ATTR_NOSUID | _MOUNT_ATTR_NODEV
        return _call(
            what,
            "fsmount",
            lambda: _libc().syscall(_FSMOUNT, context, _FSMOUNT_CLOEXEC, attributes),
        )
    finally:
        os.close(context)


def _fsconfig(what: str, context: int, name: str, value: str | None) -> None:
    command = _FSCONFIG_SET_FLAG if value is None else _FSCONFIG_SET_STRING
    encoded = None if value is None else os.fsencode(value)
    _call(
        what,
        "fsconfig",
        lambda: _libc().syscall(_FSCONFIG, context, command, os.fsencode(name), encoded, 0),
    )


def prctl(what: str, option: int, *arguments: int) -> int:
    """Control a property of the process; see the manual.

    Args:
        what: The operation, for the error.
        option: Which property.
        arguments: Up to four numbers.

    Returns:
        The call's result.
    """
    padded = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:4]]
    return _call(what, "prctl", lambda: _libc().prctl(option, *padded))


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent thread ends, PR_SET_PDEATHSIG."""
    prctl("die with the parent", _PR_SET_PDEATHSIG, 9)


def adopt_orphans() -> None:
    """Become the parent of every descendant that loses its own, PR_SET_CHILD_SUBREAPER."""
    prctl("adopt orphans", _PR_SET_CHILD_SUBREAPER, 1)


def forbid_new_privileges(what: str) -> None:
    """Let no exec gain privileges, PR_SET_NO_NEW_PRIVS."""
    prctl(what, _PR_SET_NO_NEW_PRIVS, 1)


def keep_apart(what: str) -> None:
    """Become a Landlock domain, from which other processes cannot be signalled or traced.

    Tracing is refused to every domain, and with it what of `/proc` needs the same permission:
    `root`, `cwd`, `fd`, `mem`, `environ`. Nothing happens where the kernel has no such scopes.

    Source: https://docs.kernel.org/userspace-api/landlock.html, "IPC scoping"
    """
    version = _libc().syscall(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_CREATE_RULESET_VERSION)
    if version < _LANDLOCK_VERSION_OF_SCOPES:
        return
    attributes = struct.pack("=QQQ", 0, 0, _LANDLOCK_SCOPE_SIGNAL)
    size = ctypes.c_size_t(len(attributes))
    ruleset = _call(
        what,
        "landlock_create_ruleset",
        lambda: _libc().syscall(_LANDLOCK_CREATE_RULESET, attributes, size, 0),
    )
    try:
        _call(
            what,
            "landlock_restrict_self",
            lambda: _libc().syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0),
        )
    finally:
        os.close(ruleset)


def drop_capabilities(what: str, keep: tuple[int, ...]) -> None:
    """Give up every capability but `keep`, in all five sets, capabilities(7)."""
    capability = 0
    while True:
        try:
            is_bounded = prctl(what, _PR_CAPBSET_READ, capability)
        except SandboxSetupError:  # EINVAL: past the last capability of this kernel
            break
        if is_bounded and capability not in keep:
            prctl(what, _PR_CAPBSET_DROP, capability)
        capability += 1
    prctl(what, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    mask = sum(1 << number for number in keep)
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    data = struct.pack("=IIIIII", low, low, 0, high, high, 0)
    _call(what, "capset", lambda: _libc().capset(header, data))


def has_capability(capability: int) -> bool:
    """Tell whether this process has a capability in effect."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        for line in status:
            if line.startswith("CapEff:"):
                return bool(int(line.split()[1], 16) >> capability & 1)
    return False
