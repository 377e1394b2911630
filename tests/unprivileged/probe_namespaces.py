"""Tells whether this machine lets a process isolate itself with namespaces.

Independent of the code under test, on purpose: were it asked, a fault of ours would look like a
machine that refuses, and the tests that should find the fault would be skipped. Exits with 0, or
prints the refused call and exits with 1.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from pathlib import Path

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID = 0x00020000, 0x10000000, 0x20000000
MS_REC, MS_PRIVATE = 16384, 1 << 18
SYS_MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE, MOUNT_ATTR_RDONLY = 442, -100, 0x8000, 1

libc = ctypes.CDLL(None, use_errno=True)


def call(what: str, result: int) -> None:
    """Exit with the name of the call and the errno if `result` says that it failed."""
    if result < 0:
        sys.exit(f"{what}: {os.strerror(ctypes.get_errno())}")


def main() -> None:
    uid, gid = os.getuid(), os.getgid()
    flags = CLONE_NEWNS | CLONE_NEWPID
    if uid:
        call("unshare with a user namespace", libc.unshare(flags | CLONE_NEWUSER))
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1", encoding="ascii")
    else:
        call("unshare", libc.unshare(flags))
    nothing = ctypes.c_void_p()
    private = ctypes.c_ulong(MS_REC | MS_PRIVATE)
    call("make / private", libc.mount(nothing, b"/", nothing, private, nothing))
    attributes = struct.pack("QQQQ", MOUNT_ATTR_RDONLY, 0, 0, 0)
    read_only = libc.syscall(SYS_MOUNT_SETATTR, AT_FDCWD, b"/", AT_RECURSIVE, attributes, 32)
    call("make / read-only", read_only)
    call("mount a tmpfs", libc.mount(b"tmpfs", b"/tmp", b"tmpfs", ctypes.c_ulong(0), b"size=1m"))


if __name__ == "__main__":
    main()
