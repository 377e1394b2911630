"""Proving a seal from inside: what the kernel says counts, not what we asked it for."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from typing import TYPE_CHECKING

from pytest_stateless.errors import SandboxSetupError
from pytest_stateless.guest.mounts import read_mounts
from pytest_stateless.guest.sandbox import linux
from pytest_stateless.guest.sandbox.plan import FILE_CAPABILITIES, SHARED_MEMORY
from pytest_stateless.wire.control import DISK_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_stateless.guest.mounts import Mount
    from pytest_stateless.wire.control import Disk, Seal

_PROBES = ("/", SHARED_MEMORY)
_NEVER_WRITABLE = ("/proc", "/sys", "/dev")
_NEVER_WHOLE = ("/", "/tmp")
_REHEARSALS = 10
_PROBE_NAME = ".pytest-stateless-probe"


def prove(seal: Seal) -> None:
    """Prove that this process is sealed.

    Args:
        seal: What was asked for.

    Raises:
        SandboxSetupError: The seal does not hold.
    """
    for path in seal.writable:
        if path in _NEVER_WHOLE or _is_within(path, _NEVER_WRITABLE):
            raise SandboxSetupError(f"proof: {path} cannot be a service path", "move_mount", 0)
    if seal.isolation == "namespace":
        _prove_mounts(seal)
        return
    if seal.isolation == "landlock":
        _prove_kernel_refuses()
    if sys.platform == "linux":
        _prove_powerless()
    _prove_refused("/")
    _prove_attributes_kept()
    if hasattr(os, "statvfs"):  # not on Windows
        _prove_size("/tmp", seal.tmp_bytes)


def rehearse(seal: Seal) -> None:
    """Do what a proof does and only looks, in a process that is about to be forked.

    Its code is specialised then, and need not be in each fork, where every page that this writes
    is copied.

    Args:
        seal: Any seal of the isolation.
    """
    for _ in range(_REHEARSALS):
        with contextlib.suppress(SandboxSetupError):
            _prove_powerless()
        for folder in _PROBES:
            with contextlib.suppress(SandboxSetupError):
                _prove_refused(folder)
        with contextlib.suppress(SandboxSetupError):
            _prove_size("/tmp", seal.tmp_bytes)
        if seal.isolation == "namespace":
            for mount in read_mounts():
                _may_be_written(mount, seal)
        else:
            with contextlib.suppress(SandboxSetupError):
                _prove_attributes_kept()


def _prove_mounts(seal: Seal) -> None:
    """Prove it of an instance with mounts of its own.

    Every mount but `/tmp`, the service paths and the instance's own disk says that it is
    read-only, also what was put back below `/tmp`; a file cannot be created outside of these;
    `/tmp` is a tmpfs of the right size, and neither it nor the read-only flag can be undone.

    A disk is the instance's own if its mount is one of our overlays and what is below has the size
    that only our tmpfs has; that is looked at before anything is written to it.

    Args:
        seal: What was asked for.

    Raises:
        SandboxSetupError: The seal does not hold.
    """
    for mount in read_mounts():
        if not mount.is_read_only and not _may_be_written(mount, seal):
            raise SandboxSetupError(f"proof: {mount.point} is still writable", "mount_setattr", 0)
    if seal.disk is not None:
        _prove_disk(seal.disk, seal.writable)
    for folder in _PROBES:
        if seal.disk is None or folder not in {SHARED_MEMORY, *seal.disk.folders}:
            _prove_refused(folder)
    _prove_size("/tmp", seal.tmp_bytes)
    _prove_irrevocable()


def _may_be_written(mount: Mount, seal: Seal) -> bool:
    if _is_within(mount.point, seal.writable):
        return True
    if mount.point == "/tmp" or (mount.point == SHARED_MEMORY and seal.disk is not None):
        return mount.kind == "tmpfs"
    if seal.disk is None:
        return False
    is_ours = (mount.kind, mount.source) == ("overlay", DISK_NAME)
    return is_ours and mount.point in seal.disk.folders


def _is_within(point: str, folders: Iterable[str]) -> bool:
    return any(point == folder or point.startswith(folder + "/") for folder in folders)


def _prove_refused(folder: str) -> None:
    try:
        _write(folder)
    except OSError as error:
        if error.errno in {errno.EROFS, errno.ENOENT}:
            return
        raise SandboxSetupError(f"proof: a file in {folder}", "open", error.errno or 0) from error
    raise SandboxSetupError(f"proof: a file could be created in {folder}", "open", 0)


def _prove_kernel_refuses() -> None:
    """Try what is below Python, where permissions refuse nothing: beside the private folder."""
    from pytest_stateless.guest.sandbox.detour.session import SESSION  # noqa: PLC0415 (where it is used)

    private = SESSION.view.private if SESSION.view is not None else ""
    folder = os.path.dirname(private)
    if linux.can_create(f"{folder}/{_PROBE_NAME}"):
        raise SandboxSetupError(f"proof: a file could be created in {folder}", "open", 0)
    if not linux.can_create(f"{private}/{_PROBE_NAME}"):
        raise SandboxSetupError(f"proof: no file could be created in {private}", "open", 0)


def _prove_powerless() -> None:
    if linux.permitted_capabilities() & ~sum(1 << number for number in FILE_CAPABILITIES):
        raise SandboxSetupError("proof: capabilities are left", "capget", 0)
    if not linux.forbids_new_privileges():
        raise SandboxSetupError("proof: programs can gain privileges", "prctl", 0)


def _prove_attributes_kept() -> None:
    try:
        os.utime("/", None)
    except OSError as error:
        if error.errno == errno.EROFS:
            return
        raise SandboxSetupError("proof: the times of /", "utime", error.errno or 0) from error
    raise SandboxSetupError("proof: the times of / could be changed", "utime", 0)


def _write(folder: str) -> None:
    path = os.path.join(folder, _PROBE_NAME)
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    os.unlink(path)


def _prove_disk(disk: Disk, service_paths: tuple[str, ...]) -> None:
    """Prove that what can be written is the disk, and that it can be."""
    own = [folder for folder in disk.folders if not _is_within(folder, service_paths)]
    for folder in own:
        _prove_size(folder, disk.size_bytes)
    _prove_size(SHARED_MEMORY, disk.size_bytes)
    for folder in own[:1]:
        try:
            _write(folder)
        except OSError as error:
            raise SandboxSetupError(
                f"proof: no file could be created in {folder}", "open", error.errno or 0
            ) from error


def _prove_size(folder: str, size_bytes: int) -> None:
    status = os.statvfs(folder)
    got = status.f_blocks * status.f_frsize
    if not 0 <= got - size_bytes < status.f_frsize or status.f_flag & os.ST_RDONLY:
        raise SandboxSetupError(
            f"proof: {folder} has {got} bytes instead of {size_bytes}", "statvfs", 0
        )


def _prove_irrevocable() -> None:
    flags = linux.MS_REMOUNT | linux.MS_BIND
    attempts: tuple[tuple[str, Callable[[], None]], ...] = (
        ("unmount /tmp", lambda: linux.unmount("unmount /tmp", "/tmp")),
        ("remount / writable", lambda: linux.mount("remount /", "none", "/", flags=flags)),
    )
    for what, attempt in attempts:
        try:
            attempt()
        except SandboxSetupError as error:
            if error.errno == errno.EPERM:
                continue
            raise SandboxSetupError(f"proof: {what}", error.syscall, error.errno) from error
        raise SandboxSetupError(f"proof: {what} succeeded", "mount", 0)
