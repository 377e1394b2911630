"""The mounts that a process sees, as the kernel tells them.

Every instance reads them while a request waits, so this is quick.

Source: proc_pid_mountinfo(5).
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

_READ_ONLY = (b"ro", b"ro,")
_ESCAPE = re.compile(rb"\\([0-7]{3})")


class Mount(NamedTuple):
    """One mount.

    Attributes:
        number: The kernel's number of it.
        point: Absolute path that it is mounted on.
        kind: Of its filesystem, such as `ext4`.
        source: What is mounted, or a name that somebody gave it.
        is_read_only: Whether the mount is; its filesystem may be all the same.
        is_read_only_filesystem: Whether the filesystem is, wherever it is mounted.
    """

    number: int
    point: str
    kind: str
    source: str
    is_read_only: bool = False
    is_read_only_filesystem: bool = False


def read_mounts() -> tuple[Mount, ...]:
    """Read the mounts of this process.

    Returns:
        The mounts in the order of the table; a later one covers an earlier one.
    """
    with open("/proc/self/mountinfo", "rb") as file:
        return tuple(map(_read, file.read().removesuffix(b"\n").split(b"\n")))


def _read(line: bytes) -> Mount:
    of_mount, _, of_filesystem = line.partition(b" - ")
    number, _, _, _, point, options, *_ = of_mount.split(b" ", 6)
    kind, source, own_options = of_filesystem.split(b" ", 2)
    if b"\\" in line:
        point, source = (_ESCAPE.sub(_unescape, field) for field in (point, source))
    return Mount(
        int(number),
        os.fsdecode(point),
        kind.decode(),
        os.fsdecode(source),
        options[:3] in _READ_ONLY,
        own_options[:3] in _READ_ONLY,
    )


def _unescape(match: re.Match[bytes]) -> bytes:
    return bytes([int(match[1], 8)])
