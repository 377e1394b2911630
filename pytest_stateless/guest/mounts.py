"""The mounts that a process sees, as the kernel tells them.

Source: proc_pid_mountinfo(5).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

_ESCAPE = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
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
        return tuple(_read(line) for line in file)


def _read(line: bytes) -> Mount:
    of_mount, _, of_filesystem = line.partition(b" - ")
    number, _, _, _, point, options, *_ = of_mount.split(b" ")
    kind, source, own_options = of_filesystem.rstrip(b"\n").split(b" ")[:3]
    return Mount(
        number=int(number),
        point=_text(point),
        kind=_text(kind),
        source=_text(source),
        is_read_only=options.split(b",", 1)[0] == b"ro",
        is_read_only_filesystem=own_options.split(b",", 1)[0] == b"ro",
    )


def _text(field: bytes) -> str:
    return os.fsdecode(_ESCAPE.sub(lambda match: bytes([int(match[1], 8)]), field))
