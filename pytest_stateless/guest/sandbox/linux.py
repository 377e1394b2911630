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
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS, _PR_GET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 38, 39, 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522
CAP_SETPCAP, CAP_SYS_ADMIN = 8, 21


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def checked(what: str, syscall: str, function: Callable[[], int]) -> int:
    """Make a call.

    Args:
        what: The operation, for the error.
        syscall: The call's name, for the error.
        function: Makes the call.

    Returns:
        What it gave.

    Raises:
        SandboxSetupError: It was negative.
    """
    result = function()
    if result < 0:
        raise SandboxSetupError(what, syscall, ctypes.get_errno())
    return result


def syscall(number: int, *arguments: bytes | int | None) -> int:
    """Make a call by its number; see the manual."""
    converted = [ctypes.c_size_t(value) if isinstance(value, int) else value for value in arguments]
    return int(_libc().syscall(ctypes.c_long(number), *converted))


def unshare(what: str, namespaces: tuple[str, ...]) -> None:
    """Leave namespaces of the parent; see the manual."""
    flags = sum(CLONE_FLAGS[name] for name in namespaces)
    checked(what, "unshare", lambda: _libc().unshare(flags))


def mount(  # noqa: PLR0913 (mount(2) has five arguments)
    what: str, source: str, target: str, *, kind: str = "", flags: int = 0, data: str = ""
) -> None:
    """Mount a filesystem or change a mount, see the manual."""
    encoded = [os.fsencode(text) if text else None for text in (source, target, kind, data)]
    checked(
        what,
        "mount",
        lambda: _libc().mount(encoded[0], encoded[1], encoded[2], flags, encoded[3]),
    )


def unmount(what: str, target: str) -> None:
    """Undo a mount, see umount(2) in the manual."""
    checked(what, "umount2", lambda: _libc().umount2(os.fsencode(target), 0))


def pivot_root(what: str, root: str, old: str) -> None:
    """Change the root of the mount namespace; see the manual."""
    checked(what, "pivot_root", lambda: _libc().pivot_root(os.fsencode(root), os.fsencode(old)))


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
    checked(
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
    return checked(
        what,
        "open_tree",
        lambda: _libc().syscall(_OPEN_TREE, _AT_FDCWD, os.fsencode(path), flags),
    )


def move_mount(what: str, tree: int, path: str) -> None:
    """Attach a detached tree at a path; see the manual."""
    checked(
        what,
        "move_mount",
        lambda: _libc().syscall(
            _MOVE_MOUNT, tree, b"", _AT_FDCWD, os.fsencode(path), _MOVE_MOUNT_F_EMPTY_PATH
        ),
    )


def can_create(path: str) -> bool:
    """Try to make a file below Python, where no detour or hook sees it; it is removed again.

    Args:
        path: Where nothing is.

    Returns:
        Whether the kernel allowed it.
    """
    name = os.fsencode(path)
    descriptor = _libc().open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    if descriptor < 0:
        return False
    _libc().close(descriptor)
    _libc().unlink(name)
    return True


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
    context = checked(what, "fsopen", lambda: _libc().syscall(_FSOPEN, b"overlay", _FSOPEN_CLOEXEC))
    try:
        for name, value in options:
            _fsconfig(what, context, name, value)
        checked(
            what,
            "fsconfig",
            lambda: _libc().syscall(_FSCONFIG, context, _FSCONFIG_CMD_CREATE, None, None, 0),
        )
        attributes = _MOUNT_ATTR_NOSUID | _MOUNT_ATTR_NODEV
        return checked(
            what,
            "fsmount",
            lambda: _libc().syscall(_FSMOUNT, context, _FSMOUNT_CLOEXEC, attributes),
        )
    finally:
        os.close(context)


def _fsconfig(what: str, context: int, name: str, value: str | None) -> None:
    command = _FSCONFIG_SET_FLAG if value is None else _FSCONFIG_SET_STRING
    encoded = None if value is None else os.fsencode(value)
    checked(
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
    return checked(what, "prctl", lambda: _libc().prctl(option, *padded))


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent thread ends, PR_SET_PDEATHSIG."""
    prctl("die with the parent", _PR_SET_PDEATHSIG, 9)


def adopt_orphans(what: str = "adopt orphans") -> None:
    """Become the parent of every descendant that loses its own, PR_SET_CHILD_SUBREAPER."""
    prctl(what, _PR_SET_CHILD_SUBREAPER, 1)


def forbid_new_privileges(what: str) -> None:
    """Let no exec gain privileges, PR_SET_NO_NEW_PRIVS."""
    prctl(what, _PR_SET_NO_NEW_PRIVS, 1)


def drop_capabilities(what: str, keep: tuple[int, ...]) -> None:
    """Give up every capability but `keep`, in all five sets, capabilities(7)."""
    narrow_bounds(what, keep)
    _, permitted = _capabilities(what)
    prctl(what, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    mask = sum(1 << number for number in keep) & permitted
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    data = struct.pack("=IIIIII", low, low, 0, high, high, 0)
    checked(what, "capset", lambda: _libc().capset(header, data))


def narrow_bounds(what: str, keep: tuple[int, ...]) -> None:
    """Let no program that this process or its children execute gain other capabilities.

    Whoever has no CAP_SETPCAP cannot, and `no_new_privs` makes it worth nothing then.

    Args:
        what: The operation, for the error.
        keep: Which they may.
    """
    if not has_capability(CAP_SETPCAP):
        return
    with open("/proc/self/status", "rb") as status:
        bounds = int(status.read().partition(b"CapBnd:")[2].split(None, 1)[0], 16)
    for capability in range(bounds.bit_length()):
        if bounds >> capability & 1 and capability not in keep:
            prctl(what, _PR_CAPBSET_DROP, capability)


def _capabilities(what: str) -> tuple[int, int]:
    """Read the effective and the permitted capabilities as bit sets."""
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), 8)
    data = ctypes.create_string_buffer(24)
    checked(what, "capget", lambda: _libc().capget(header, data))
    low_effective, low, _, high_effective, high, _ = struct.unpack("=IIIIII", data.raw)
    return low_effective | high_effective << 32, low | high << 32


def permitted_capabilities() -> int:
    """Return the capabilities that this process can have, as a bit set."""
    return _capabilities("read capabilities")[1]


def forbids_new_privileges() -> bool:
    """Tell whether no exec can gain privileges."""
    return prctl("read no_new_privs", _PR_GET_NO_NEW_PRIVS) == 1


def has_capability(capability: int) -> bool:
    """Tell whether this process has a capability in effect."""
    return bool(_capabilities("read capabilities")[0] >> capability & 1)
