"""Attempts to undo the seal or to reach other processes, each one run in an instance.

Each says what came of it; none is undone by the one who makes it, because an instance is thrown
away. System call numbers above 423 are the same on every architecture.
"""

# What `os` does is what is tested, so it is not done with pathlib.
# ruff: noqa: PTH102, PTH103, PTH115, PTH116, PTH123, PTH208
from __future__ import annotations

import ctypes
import os
import platform
import signal
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from attacks import DONE, LIBC, Scene, check, outcome_of

if TYPE_CHECKING:
    from collections.abc import Callable

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID = 0x00020000, 0x10000000, 0x20000000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC = 1, 32, 4096, 16384
MNT_DETACH = 2
AT_FDCWD, AT_EMPTY_PATH, AT_RECURSIVE = -100, 0x1000, 0x8000
MOUNT_ATTR_RDONLY = 1
OPEN_TREE, MOVE_MOUNT, FSOPEN, MOUNT_SETATTR = 428, 429, 430, 442
OPEN_TREE_CLONE, MOVE_MOUNT_F_EMPTY_PATH = 1, 4
PIDFD_GETFD = 438
PTRACE_ATTACH = 16
PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, PR_GET_NO_NEW_PRIVS = 47, 2, 39
CAP_SYS_ADMIN = 21
CAPABILITY_VERSION_3 = 0x20080522
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}.get(platform.machine())
MAX_HANDLE_BYTES = 128

INTRUSIONS: dict[str, Callable[[Scene], object]] = {}


def intrusion(function: Callable[[Scene], object]) -> Callable[[Scene], object]:
    INTRUSIONS[function.__name__] = function
    return function


def intrude(name: str, scene: Scene) -> str:
    """Carry out one; this is what an instance is called with."""
    return outcome_of(INTRUSIONS[name], scene)


def mount(source: str, target: str, kind: str = "", flags: int = 0) -> None:
    check(
        LIBC.mount(
            source.encode(), target.encode(), kind.encode() or None, ctypes.c_ulong(flags), None
        )
    )


def clear_read_only(path: str, flags: int = AT_RECURSIVE) -> None:
    attributes = struct.pack("=QQQQ", 0, MOUNT_ATTR_RDONLY, 0, 0)
    check(LIBC.syscall(MOUNT_SETATTR, AT_FDCWD, path.encode(), flags, attributes, 32))


# mounts


@intrusion
def remount_the_root_writable(scene: Scene) -> None:
    mount("none", "/", flags=MS_REMOUNT | MS_BIND)
    os.mkdir(scene.new)


@intrusion
def remount_the_root_s_filesystem_writable(scene: Scene) -> None:
    mount("none", "/", flags=MS_REMOUNT)
    os.mkdir(scene.new)


@intrusion
def clear_read_only_of_everything(scene: Scene) -> None:
    clear_read_only("/")
    os.mkdir(scene.new)


@intrusion
def clear_read_only_of_a_clone(scene: Scene) -> None:
    tree = check(LIBC.syscall(OPEN_TREE, AT_FDCWD, scene.folder.encode(), OPEN_TREE_CLONE))
    attributes = struct.pack("=QQQQ", 0, MOUNT_ATTR_RDONLY, 0, 0)
    check(LIBC.syscall(MOUNT_SETATTR, tree, b"", AT_EMPTY_PATH, attributes, 32))
    os.mkdir(scene.marker, dir_fd=tree)


@intrusion
def bind_the_folder_into_tmp(scene: Scene) -> None:
    os.mkdir("/tmp/bound")
    mount(scene.folder, "/tmp/bound", flags=MS_BIND)
    os.mkdir(f"/tmp/bound/{scene.marker}")


@intrusion
def mount_over_the_folder(scene: Scene) -> None:
    mount("tmpfs", scene.folder, "tmpfs")


@intrusion
def mount_proc_again(scene: Scene) -> None:  # noqa: ARG001 (as all)
    os.mkdir("/tmp/proc")
    mount("proc", "/tmp/proc", "proc")


@intrusion
def mount_sysfs_again(scene: Scene) -> None:  # noqa: ARG001 (as all)
    os.mkdir("/tmp/sys")
    mount("sysfs", "/tmp/sys", "sysfs")


@intrusion
def open_a_filesystem(scene: Scene) -> None:  # noqa: ARG001 (as all)
    check(LIBC.syscall(FSOPEN, b"tmpfs", 0))


@intrusion
def unmount_tmp(scene: Scene) -> None:
    check(LIBC.umount2(b"/tmp", 0))
    Path(f"/tmp/{scene.marker}").touch()


@intrusion
def detach_tmp(scene: Scene) -> None:
    check(LIBC.umount2(b"/tmp", MNT_DETACH))
    Path(f"/tmp/{scene.marker}").touch()


@intrusion
def detach_the_devices(scene: Scene) -> None:  # noqa: ARG001 (as all)
    check(LIBC.umount2(b"/dev", MNT_DETACH))


@intrusion
def move_the_mount_of_tmp(scene: Scene) -> None:
    tree = check(LIBC.syscall(OPEN_TREE, AT_FDCWD, b"/tmp", 0))
    target = scene.folder.encode()
    check(LIBC.syscall(MOVE_MOUNT, tree, b"", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH))


@intrusion
def pivot_the_root(scene: Scene) -> None:  # noqa: ARG001 (as all)
    os.makedirs("/tmp/root/old")
    check(LIBC.syscall(PIVOT_ROOT, b"/tmp/root", b"/tmp/root/old"))


@intrusion
def change_the_root(scene: Scene) -> None:
    os.chroot(scene.folder)


@intrusion
def leave_for_a_mount_namespace_of_its_own(scene: Scene) -> None:  # noqa: ARG001 (as all)
    check(LIBC.unshare(CLONE_NEWNS))


@intrusion
def join_the_mount_namespace_of_the_first_process(scene: Scene) -> None:
    check(LIBC.setns(os.open("/proc/1/ns/mnt", os.O_RDONLY), CLONE_NEWNS))
    os.mkdir(scene.new)


@intrusion
def join_the_user_namespace_of_the_first_process(scene: Scene) -> None:  # noqa: ARG001 (as all)
    check(LIBC.setns(os.open("/proc/1/ns/user", os.O_RDONLY), CLONE_NEWUSER))


# devices and handles


@intrusion
def make_a_block_device(scene: Scene) -> None:
    os.mknod("/tmp/disk", 0o60600, os.stat(scene.folder).st_dev)


@intrusion
def make_a_block_device_in_the_folder(scene: Scene) -> None:
    os.mknod(scene.new, 0o60600, os.stat("/").st_dev)


@intrusion
def make_a_character_device(scene: Scene) -> None:  # noqa: ARG001 (as all)
    os.mknod("/tmp/mem", 0o20600, os.makedev(1, 1))


@intrusion
def open_by_handle(scene: Scene) -> None:
    mount_descriptor = os.open(scene.folder, os.O_RDONLY | os.O_DIRECTORY)
    os.close(open_file_by_handle(mount_descriptor, scene.file))


def open_file_by_handle(mount_descriptor: int, path: str) -> int:
    """Open a file for writing, past every folder on the way, open_by_handle_at(2)."""
    handle = ctypes.create_string_buffer(struct.pack("=Ii", MAX_HANDLE_BYTES, 0) + bytes(128))
    mount_id = ctypes.c_int()
    check(LIBC.name_to_handle_at(AT_FDCWD, path.encode(), handle, ctypes.byref(mount_id), 0))
    return check(LIBC.open_by_handle_at(mount_descriptor, handle, os.O_RDWR))


# capabilities


@intrusion
def take_a_capability_back(scene: Scene) -> None:  # noqa: ARG001 (as all)
    header = struct.pack("=Ii", CAPABILITY_VERSION_3, 0)
    mask = 1 << CAP_SYS_ADMIN
    check(LIBC.capset(header, struct.pack("=IIIIII", mask, mask, mask, 0, 0, 0)))


@intrusion
def raise_an_ambient_capability(scene: Scene) -> None:  # noqa: ARG001 (as all)
    raised = ctypes.c_ulong(PR_CAP_AMBIENT_RAISE)
    nothing = ctypes.c_ulong(0)
    check(LIBC.prctl(PR_CAP_AMBIENT, raised, ctypes.c_ulong(CAP_SYS_ADMIN), nothing, nothing))


@intrusion
def set_the_host_name(scene: Scene) -> None:  # noqa: ARG001 (as all)
    name = os.fsencode(os.uname().nodename)
    check(LIBC.sethostname(name, len(name)))


# files of the kernel


def write(path: str, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    os.write(descriptor, data)


@intrusion
def write_a_kernel_parameter(scene: Scene) -> None:  # noqa: ARG001 (as all)
    write("/proc/sys/kernel/core_pattern", Path("/proc/sys/kernel/core_pattern").read_bytes())


@intrusion
def write_its_own_entry_in_proc(scene: Scene) -> None:  # noqa: ARG001 (as all)
    write("/proc/self/comm", b"other")


@intrusion
def write_to_sys(scene: Scene) -> None:  # noqa: ARG001 (as all)
    write("/sys/class/net/lo/uevent", b"change")


@intrusion
def make_a_control_group(scene: Scene) -> None:
    os.mkdir(f"/sys/fs/cgroup/{scene.marker}")


# a user namespace of its own, in which everybody has every capability


def intrude_nested(name: str, scene: Scene) -> str:
    """Carry out an intrusion in new namespaces, or say `no namespace` and why."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        entered = outcome_of(enter_nested_namespaces)
        said = intrude(name, scene) if entered == DONE else f"no namespace: {entered}"
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    with open(reader, encoding="utf-8") as file:
        return file.read()


def enter_nested_namespaces() -> None:
    check(LIBC.unshare(CLONE_NEWUSER | CLONE_NEWNS))


# other processes


def other_processes() -> list[int]:
    """Every process that an instance sees, but for itself and what it started."""
    found = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return sorted(pid for pid in found if pid != os.getpid())


def reach_other_processes(scene: Scene) -> dict[int, dict[str, str]]:
    """Try every way into every other process; what came of it, by process id."""
    ways: dict[str, Callable[[int], object]] = {
        "root": lambda pid: os.mkdir(f"/proc/{pid}/root{scene.new}"),
        "root's /tmp": lambda pid: os.mkdir(f"/proc/{pid}/root/tmp/{scene.marker}"),
        "cwd": lambda pid: os.mkdir(f"/proc/{pid}/cwd/{scene.marker}"),
        "fd": lambda pid: [
            os.open(f"/proc/{pid}/fd/{number}", os.O_WRONLY)
            for number in os.listdir(f"/proc/{pid}/fd")
        ],
        "mem": lambda pid: os.open(f"/proc/{pid}/mem", os.O_RDWR),
        "environ": lambda pid: Path(f"/proc/{pid}/environ").read_bytes(),
        "ptrace": lambda pid: check(LIBC.ptrace(PTRACE_ATTACH, pid, None, None)),
        "pidfd_getfd": lambda pid: check(LIBC.syscall(PIDFD_GETFD, os.pidfd_open(pid), 0, 0)),
        "mount namespace": lambda pid: os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY),
    }
    return {
        pid: {name: outcome_of(way, pid) for name, way in ways.items()} for pid in other_processes()
    }


def kill_everything_in_reach() -> dict[str, str]:
    """Kill its process group, the first process, and all that it may signal, itself excepted."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return {
        "its process group": outcome_of(os.kill, 0, signal.SIGTERM),
        "the first process": outcome_of(os.kill, 1, signal.SIGKILL),
        "the first process, politely": outcome_of(os.kill, 1, signal.SIGINT),
        "everybody": outcome_of(os.kill, -1, signal.SIGKILL),
    }


# what it has


def descriptors() -> dict[int, str]:
    """Every open descriptor and what it leads to."""
    found: dict[int, str] = {}
    for number in map(int, os.listdir("/proc/self/fd")):
        try:
            found[number] = os.readlink(f"/proc/self/fd/{number}")
        except FileNotFoundError:  # the one that the listing itself needed
            continue
    return found


def status() -> dict[str, str]:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)
