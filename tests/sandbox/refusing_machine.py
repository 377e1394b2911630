"""Runs a command on a machine that refuses system calls.

    python refusing_machine.py SYSCALL ERRNO -- COMMAND [ARGUMENT]...
    python refusing_machine.py --like-a-container [--no-landlock] -- COMMAND [ARGUMENT]...
    python refusing_machine.py --no-user-namespaces -- COMMAND [ARGUMENT]...

The first two by a seccomp filter, the second refusing what a container's usual filter refuses:
namespaces, user namespaces too, and mounts. The third, for an ordinary user, by the limit of a
user namespace.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUSER = 0x10000000
CLONE_NAMESPACES = 0x7E020000
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO = 0x7FFF0000, 0x00050000
LOAD, JUMP_IF_EQUAL, JUMP_IF_SET, RETURN = 0x20, 0x15, 0x45, 0x06
NUMBER_OFFSET, FIRST_ARGUMENT_OFFSET = 0, 16
NUMBERS = {
    "x86_64": {"unshare": 272, "mount": 165, "capset": 126, "clone": 56, "setns": 308}
    | {"umount2": 166, "pivot_root": 155},
    "aarch64": {"unshare": 97, "mount": 40, "capset": 91, "clone": 220, "setns": 268}
    | {"umount2": 39, "pivot_root": 41},
}[platform.machine()] | {
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "clone3": 435,
    "mount_setattr": 442,
    "landlock_create_ruleset": 444,
}
OF_A_CONTAINER = {
    "unshare": errno.EPERM,
    "setns": errno.EPERM,
    "mount": errno.EPERM,
    "umount2": errno.EPERM,
    "pivot_root": errno.EPERM,
    "open_tree": errno.EPERM,
    "move_mount": errno.EPERM,
    "fsopen": errno.EPERM,
    "mount_setattr": errno.EPERM,
    "clone3": errno.ENOSYS,
}

Instruction = tuple[int, int, int, int]


def refuse(refused: dict[str, int], *, clones_namespaces: bool = True) -> None:
    """Install a filter.

    Args:
        refused: Names of system calls, and the errors that they shall give.
        clones_namespaces: Whether clone(2) may make namespaces.
    """
    instructions: list[Instruction] = [(LOAD, 0, 0, NUMBER_OFFSET)]
    for name, number in refused.items():
        instructions += [
            (JUMP_IF_EQUAL, 0, 1, NUMBERS[name]),
            (RETURN, 0, 0, SECCOMP_RET_ERRNO | number),
        ]
    if not clones_namespaces:
        instructions += [
            (JUMP_IF_EQUAL, 0, 3, NUMBERS["clone"]),
            (LOAD, 0, 0, FIRST_ARGUMENT_OFFSET),
            (JUMP_IF_SET, 0, 1, CLONE_NAMESPACES),
            (RETURN, 0, 0, SECCOMP_RET_ERRNO | errno.EPERM),
        ]
    instructions.append((RETURN, 0, 0, SECCOMP_RET_ALLOW))
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
    elif what[0] == "--like-a-container":
        landlock = {"landlock_create_ruleset": errno.ENOSYS} if "--no-landlock" in what else {}
        refuse(OF_A_CONTAINER | landlock, clones_namespaces=False)
    else:
        refuse({what[0]: int(what[1])})
    os.execvp(command[0], command)  # noqa: S606 (the command is the argument)


if __name__ == "__main__":
    main()
