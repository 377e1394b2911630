"""Runs a command on a machine that refuses one system call.

    python refusing_machine.py SYSCALL ERRNO -- COMMAND [ARGUMENT]...
    python refusing_machine.py --no-user-namespaces -- COMMAND [ARGUMENT]...

The first by a seccomp filter; the second, for an ordinary user, by the limit of a user namespace.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUSER = 0x10000000
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO = 0x7FFF0000, 0x00050000
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
NUMBERS = {
    "x86_64": {"unshare": 272, "mount": 165, "capset": 126},
    "aarch64": {"unshare": 97, "mount": 40, "capset": 91},
}[platform.machine()] | {"open_tree": 428, "move_mount": 429, "fsopen": 430, "mount_setattr": 442}


def refuse(syscall: str, number: int) -> None:
    instructions = [
        (LOAD, 0, 0, 0),
        (JUMP_IF_EQUAL, 0, 1, NUMBERS[syscall]),
        (RETURN, 0, 0, SECCOMP_RET_ERRNO | number),
        (RETURN, 0, 0, SECCOMP_RET_ALLOW),
    ]
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *i) for i in instructions))
    header = struct.pack("@HP", len(instructions), ctypes.addressof(program))
    nothing = ctypes.c_ulong(0)
    if LIBC.prctl(PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), nothing, nothing, nothing):
        sys.exit("no_new_privs")
    if LIBC.prctl(PR_SET_SECCOMP, ctypes.c_ulong(SECCOMP_MODE_FILTER), header, nothing, nothing):
        sys.exit("seccomp")


def refuse_user_namespaces() -> None:
    uid, gid = os.getuid(), os.getgid()
    if LIBC.unshare(CLONE_NEWUSER):
        sys.exit("unshare")
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1", encoding="ascii")
    Path("/proc/sys/user/max_user_namespaces").write_text("0", encoding="ascii")


def main() -> None:
    split = sys.argv.index("--")
    what, command = sys.argv[1:split], sys.argv[split + 1 :]
    if what == ["--no-user-namespaces"]:
        refuse_user_namespaces()
    else:
        refuse(what[0], int(what[1]))
    os.execvp(command[0], command)  # noqa: S606 (the command is the argument)


if __name__ == "__main__":
    main()
