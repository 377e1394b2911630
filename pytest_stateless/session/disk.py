"""Which folders an instance sees through a disk of its own, where what it writes is discarded.

Root gets the whole tree: `/` and every other filesystem in it. An ordinary user gets what that
user may write on this machine, and no more could be had: a user namespace lets nobody cover a
folder that somebody else has mounted something in, nor copy a file of somebody else's to the disk.

What belongs to the machine rather than to the app stays what it is: `/proc`, `/sys`, `/dev`, and
`/run`, where the sockets of services are; one that is seen through an overlay cannot be connected
to. So do filesystems that are read-only by themselves, and those that cannot be seen through an
overlay because they tell no capitals from small letters or mount themselves when looked at.

Source: `clone_private_mount` and `has_locked_children` in fs/namespace.c of Linux,
`ovl_dentry_weird` in fs/overlayfs/util.c, `unix_find_bsd` in net/unix/af_unix.c.
"""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_stateless.guest.mounts import read_mounts
from pytest_stateless.guest.sandbox import linux
from pytest_stateless.wire.control import Disk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_stateless.guest.mounts import Mount

KEPT = ("/dev", "/proc", "/run", "/sys")
NO_LAYERS = frozenset({
    *("autofs", "vfat", "msdos", "exfat", "ntfs", "ntfs3", "hfs", "hfsplus"),
})
_TMP = ("/tmp",)
_DEPTH = 2
_NUMBER = re.compile(r"^mnt_id:\s*(\d+)$", re.MULTILINE)


def own_disk(size_bytes: int, *, needed: tuple[str, ...], visible: tuple[str, ...]) -> Disk:
    """Describe the disk of an instance on this machine.

    Args:
        size_bytes: How much it may hold.
        needed: Absolute folders that the suite lives in.
        visible: Absolute folders that stay visible though they lie below `/tmp`.

    Returns:
        The disk.
    """
    folders, kept = _layout(needed, visible)
    return Disk(size_bytes=size_bytes, folders=folders, kept=kept)


@functools.cache
def _layout(
    needed: tuple[str, ...], visible: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if linux.has_capability(linux.CAP_SYS_ADMIN):
        return of_root(_reachable(), visible)
    return of_user(_reachable(), needed, visible), ()


def of_root(
    mounts: Iterable[Mount], visible: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Choose for a user who may mount everything.

    Args:
        mounts: Of this machine, each at a point of its own.
        visible: Absolute folders that stay visible though they lie below `/tmp`.

    Returns:
        The folders that are seen through the disk, and the paths that stay what they are.
    """
    folders = ["/", *visible]
    kept = [path for path in KEPT if _is_folder(path)]
    for mount in sorted(mounts, key=lambda mount: mount.point):
        point = mount.point
        is_hidden = _is_within(point, _TMP) and not _is_within(point, visible)
        if point == "/" or is_hidden or _is_within(point, KEPT):
            continue
        if _can_be_seen_through(mount):
            folders.append(point)
        elif not _is_within(point, kept):
            kept.append(point)
    return tuple(sorted(set(folders))), tuple(sorted(set(kept)))


def of_user(
    mounts: Iterable[Mount], needed: tuple[str, ...], visible: tuple[str, ...]
) -> tuple[str, ...]:
    """Choose for an ordinary user.

    Args:
        mounts: Of this machine, each at a point of its own.
        needed: Absolute folders that the suite lives in.
        visible: Absolute folders that stay visible though they lie below `/tmp`.

    Returns:
        The folders that are seen through the disk.
    """
    points = [mount.point for mount in mounts]
    found: list[str] = []
    ways = (step for folder in needed for step in _way_to(folder))
    for path in (*_shallow(), *points, *ways):
        is_elsewhere = path == "/" or _is_within(path, (*KEPT, *_TMP))
        if not is_elsewhere and not _is_within(path, found) and _is_free(path, points):
            found = [*(one for one in found if not _is_within(one, (path,))), path]
    return tuple(sorted({*found, *(path for path in visible if _is_free(path, points))}))


@functools.cache
def _shallow() -> tuple[str, ...]:
    """List the folders of the first levels, outer ones first."""
    found: list[str] = []
    level = ["/"]
    for _ in range(_DEPTH):
        level = [path for folder in level for path in _folders_in(folder)]
        found += level
    return tuple(found)


def _folders_in(folder: str) -> list[str]:
    if _is_within(folder, (*KEPT, *_TMP)):
        return []
    try:
        with os.scandir(folder) as entries:
            return sorted(one.path for one in entries if one.is_dir(follow_symlinks=False))
    except OSError:
        return []


def _way_to(path: str) -> Iterator[str]:
    real = Path(os.path.realpath(path))
    yield from (str(step) for step in reversed(real.parents))
    yield str(real)


def _is_free(path: str, points: Iterable[str]) -> bool:
    """Tell whether a user may write in a folder, and nothing is mounted below it."""
    is_writable = _is_folder(path) and os.access(path, os.W_OK | os.X_OK)
    return is_writable and not any(point.startswith(path + "/") for point in points)


def _can_be_seen_through(mount: Mount) -> bool:
    is_fixed = mount.is_read_only or mount.is_read_only_filesystem
    return _is_folder(mount.point) and not is_fixed and mount.kind not in NO_LAYERS


@functools.cache
def _reachable() -> tuple[Mount, ...]:
    """List the mounts that no other one covers."""
    return tuple(mount for mount in read_mounts() if _number_of(mount.point) == mount.number)


def _number_of(point: str) -> int:
    try:
        descriptor = os.open(point, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return -1
    try:
        text = Path(f"/proc/self/fdinfo/{descriptor}").read_text(encoding="ascii")
    finally:
        os.close(descriptor)
    found = _NUMBER.search(text)
    return int(found[1]) if found is not None else -1


def _is_folder(path: str) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 (this one takes a refusal for a no)


def _is_within(path: str, folders: Iterable[str]) -> bool:
    return any(path == folder or path.startswith(folder + "/") for folder in folders)
