"""Landlock: having the kernel refuse writes, signals and tracing to this process, for ever.

Each version of its interface knows more rights, and a right that it does not know is one that it
cannot refuse; what is asked for is cut to what the kernel knows. Reading and executing are never
asked for, so they stay free.

Source: https://docs.kernel.org/userspace-api/landlock.html; landlock(7).
"""

from __future__ import annotations

import contextlib
import os
import struct
from functools import cache
from typing import TYPE_CHECKING

from pytest_stateless.guest.sandbox import linux

if TYPE_CHECKING:
    from collections.abc import Iterable

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1
_SCOPE_SIGNAL, _VERSION_OF_SCOPES = 2, 6

_WRITE_FILE, _TRUNCATE, _IOCTL_DEV = 1 << 1, 1 << 14, 1 << 15
_RIGHTS = {
    # write a file; remove a folder, a file; make a character device, a folder, a file, a socket, a
    # FIFO, a block device, a symbolic link
    1: _WRITE_FILE | sum(1 << number for number in range(4, 13)),
    2: 1 << 13,  # move or link between folders; where it is unknown, that is always refused
    3: _TRUNCATE,
    5: _IOCTL_DEV,
}
_RIGHTS_ON_FILES = _WRITE_FILE | _TRUNCATE | _IOCTL_DEV


@cache
def version() -> int:
    """Return the version of the kernel's interface; negative where there is none."""
    return linux.syscall(_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)


def restrict_writes(what: str, *, folders: Iterable[str], files: Iterable[str]) -> None:
    """Refuse every write but below some folders and to some files; and keep processes apart.

    Args:
        what: The operation, for errors.
        folders: What stays writable with all that it contains.
        files: Single files, such as devices; those that do not exist are left out.

    Raises:
        SandboxSetupError: The kernel cannot do it, or one of the folders does not exist.
        OSError: One of the folders cannot be opened.
    """
    found = linux.checked(what, "landlock_create_ruleset", version)
    handled = sum(rights for since, rights in _RIGHTS.items() if since <= found)
    ruleset = _create(what, handled, has_scopes=found >= _VERSION_OF_SCOPES)
    try:
        for folder in folders:
            _allow(what, ruleset, folder, handled)
        for file in files:
            with contextlib.suppress(FileNotFoundError):
                _allow(what, ruleset, file, handled & _RIGHTS_ON_FILES)
        _restrict(what, ruleset)
    finally:
        os.close(ruleset)


def keep_apart(what: str) -> None:
    """Become a domain from which other processes cannot be signalled or traced.

    Tracing is refused to every domain, and with it what of `/proc` needs the same permission:
    `root`, `cwd`, `fd`, `mem`, `environ`. Nothing happens where the kernel has no such scopes.

    Args:
        what: The operation, for errors.

    Raises:
        SandboxSetupError: The kernel has them and refuses.
    """
    if version() < _VERSION_OF_SCOPES:
        return
    ruleset = _create(what, 0, has_scopes=True)
    try:
        _restrict(what, ruleset)
    finally:
        os.close(ruleset)


def _create(what: str, handled: int, *, has_scopes: bool) -> int:
    # handled_access_fs, handled_access_net, scoped; an older kernel wants zeros where it has none
    attributes = struct.pack("=QQQ", handled, 0, _SCOPE_SIGNAL if has_scopes else 0)
    return linux.checked(
        what,
        "landlock_create_ruleset",
        lambda: linux.syscall(_CREATE_RULESET, attributes, len(attributes), 0),
    )


def _allow(what: str, ruleset: int, path: str, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        attributes = struct.pack("=Qi", rights, descriptor)
        linux.checked(
            what,
            "landlock_add_rule",
            lambda: linux.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, attributes, 0),
        )
    finally:
        os.close(descriptor)


def _restrict(what: str, ruleset: int) -> None:
    linux.checked(what, "landlock_restrict_self", lambda: linux.syscall(_RESTRICT_SELF, ruleset, 0))
