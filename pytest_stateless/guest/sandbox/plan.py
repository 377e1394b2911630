"""What sealing consists of: an ordered tuple of operations, as values. Pure.

The shape is bubblewrap's (its command line becomes a list of set-up operations that later code
walks): a plan can be read, compared and tested without a kernel. With namespaces there are two
plans. The zygote's is carried out once and leaves nothing writable; every instance inherits that
and adds its own `/tmp` and, where writes are discarded rather than refused, a disk of its own:
folders are covered by what overlayfs makes of them and of a tmpfs. So no moment exists in which an
instance could write what is not its own. Without, each instance carries out one of its own, before
anything of the app's is imported.

Order is part of the law:

* what lies under `/tmp` is taken hold of before a tmpfs covers it, and put back after;
* what stays as it is is taken hold of before the disk's tmpfs is mounted, or it would show it;
* the disk's tmpfs is read-only and covered before anything of the app runs: only overlays lead
  to it. It is not unmounted, nor is an old root: that would take longer than all the rest;
* processes are kept apart when every mount is made, and before the capability that it takes goes;
* capabilities go last but one, because everything before needs them;
* `no_new_privs` goes last, so that nothing after it can win anything back; but first where it is
  what allows an ordinary process to restrict itself;
* the interpreter's own detours go after all else: nothing of ours shall take them.

Source: bubblewrap's `setup_newroot` (https://github.com/containers/bubblewrap), and the man pages
unshare(2), user_namespaces(7), mount_setattr(2), open_tree(2), move_mount(2), pivot_root(2),
capabilities(7); https://docs.kernel.org/filesystems/overlayfs.html.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pytest_stateless.wire.control import Seal

Namespace = Literal["user", "mount", "pid", "ipc"]
Marks = Literal["trusted", "user"]

SHARED_MEMORY = "/dev/shm"
"""A folder that every instance has and nobody needs while it is sealed: the disk's tmpfs is
mounted there. What covers it is what the name says, where anything can be written."""

DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
"""All of `/dev` that an instance sees: a block device can be written on a read-only mount."""

FILE_CAPABILITIES = (0, 1, 3, 4)
"""CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER and CAP_FSETID of capabilities(7): what makes root see
files as root. None of them undoes a mount. CAP_DAC_READ_SEARCH is not among them: it allows
open_by_handle_at(2), by which whoever has a writable service path could write every file of the
same filesystem; CAP_DAC_OVERRIDE gives all else that it gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unshare:
    """Leave the namespaces of the parent, unshare(2)."""

    namespaces: tuple[Namespace, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MapUser:
    """Keep user and group id in a new user namespace, user_namespaces(7)."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MakePrivate:
    """Let no mount or unmount travel to other namespaces, mount_namespaces(7)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MountProc:
    """Show the processes of the new PID namespace in `/proc`, pid_namespaces(7)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceDevices:
    """Cover `/dev` with a folder that has only these device nodes."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeReadOnly:
    """Make a tree read-only with every mount in it, mount_setattr(2) with AT_RECURSIVE."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Take hold of a tree before something covers it, open_tree(2)."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MountTmp:
    """Mount an empty tmpfs of a size in bytes, tmpfs(5)."""

    path: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldCopy:
    """Take hold of what can be written like a folder and changes only the disk, overlayfs.

    Mounts in the folder are not part of it. With the marks of an ordinary user, a file of somebody
    else's cannot be copied to the disk (EOVERFLOW), and a folder that is not on the disk yet
    cannot be renamed (EXDEV).
    """

    path: str
    disk: str
    number: int
    marks: Marks


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceRoot:
    """Make what is held of `/` the root, and move the old one below it, pivot_root(2)."""

    old: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PutBack:
    """Mount a held tree at its old path, writable or as it was, move_mount(2)."""

    path: str
    is_writable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepApart:
    """Let it neither signal, trace nor look into what it did not start, landlock(7).

    Or an instance could write another's `/tmp` through `/proc`. Linux before 6.12 cannot do
    it, and there nothing is done: the host is out of reach all the same.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class NarrowBounds:
    """Let no program gain capabilities but these; once for all instances, which give up the rest.

    It takes forty system calls, and nothing that follows needs an exec to gain anything.
    """

    keep: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DropCapabilities:
    """Give up every capability but these, for ever, capabilities(7)."""

    keep: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForbidNewPrivileges:
    """Let no program regain what was given up, PR_SET_NO_NEW_PRIVS of prctl(2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptOrphans:
    """Stay the parent of all that is started, PR_SET_CHILD_SUBREAPER of prctl(2).

    Where no namespace tells whose a process is, that does.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class RestrictWrites:
    """Have the kernel refuse every write but below these folders and to these devices, landlock(7).

    It keeps processes apart too.
    """

    folders: tuple[str, ...]
    devices: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DetourPython:
    """Have the interpreter refuse writes, and show its private folder at `/tmp`.

    Attributes:
        private: The folder that stands for `/tmp`.
        size_bytes: How much of it Python code can fill.
        visible: Folders below `/tmp` that stay visible.
        writable: Folders of service paths.
        devices: Files that can be written too.
    """

    private: str
    size_bytes: int
    visible: tuple[str, ...]
    writable: tuple[str, ...]
    devices: tuple[str, ...] = field(repr=False)


Operation = (
    Unshare
    | MapUser
    | MakePrivate
    | MountProc
    | ReplaceDevices
    | MakeReadOnly
    | Hold
    | MountTmp
    | HoldCopy
    | ReplaceRoot
    | PutBack
    | KeepApart
    | NarrowBounds
    | DropCapabilities
    | ForbidNewPrivileges
    | AdoptOrphans
    | RestrictWrites
    | DetourPython
)


def plan_namespaces(
    *, uid: int, gid: int, is_privileged: bool, has_pid: bool
) -> tuple[Operation, ...]:
    """Plan the part that must come before the zygote's own fork.

    Args:
        uid: User id of the process.
        gid: Group id of the process.
        is_privileged: Whether it has CAP_SYS_ADMIN already; without, a user namespace gives it.
        has_pid: Whether to make a PID namespace, whose first process the next fork is.

    Returns:
        The operations in order.
    """
    namespaces: list[Namespace] = [] if is_privileged else ["user"]
    namespaces.append("mount")
    if has_pid:
        namespaces.append("pid")
    operations: list[Operation] = [Unshare(namespaces=tuple(namespaces))]
    if not is_privileged:
        operations.append(MapUser(uid=uid, gid=gid))
    return (*operations, MakePrivate())


def plan_zygote(*, has_pid: bool) -> tuple[Operation, ...]:
    """Plan what makes the zygote's whole tree read-only.

    Args:
        has_pid: Whether the zygote is the first process of its own PID namespace.

    Returns:
        The operations in order.
    """
    proc: tuple[Operation, ...] = (MountProc(),) if has_pid else ()
    return (
        *proc,
        ReplaceDevices(names=DEVICES),
        MakeReadOnly(path="/"),
        NarrowBounds(keep=FILE_CAPABILITIES),
    )


def plan_zygote_without_mounts() -> tuple[Operation, ...]:
    """Plan what an instance would give up first thing, where it needs no privilege itself.

    Returns:
        The operations in order; what they give up, no instance can have.
    """
    return (ForbidNewPrivileges(), DropCapabilities(keep=FILE_CAPABILITIES))


@lru_cache(maxsize=4)
def plan_instance(
    seal: Seal, *, is_privileged: bool, private: str = "", is_linux: bool = True
) -> tuple[Operation, ...]:
    """Plan the seal of one instance, on top of the zygote's where it has namespaces.

    Args:
        seal: Its filesystem; paths are absolute and without symbolic links.
        is_privileged: Whether the process is real root and keeps root's access to files.
        private: The folder that stands for `/tmp` where it cannot be mounted, without links.
        is_linux: Whether the kernel is Linux.

    Returns:
        The operations in order.
    """
    if seal.isolation == "namespace":
        return _plan_in_namespaces(seal, is_privileged=is_privileged)
    devices = tuple(f"/dev/{name}" for name in DEVICES)
    detour = DetourPython(
        private=private,
        size_bytes=seal.tmp_bytes,
        visible=seal.visible,
        writable=seal.writable,
        devices=devices,
    )
    if not is_linux:
        return (detour,)
    restricted: tuple[Operation, ...] = ()
    if seal.isolation == "landlock":
        restricted = (RestrictWrites(folders=(private, *seal.writable), devices=devices),)
    return (
        AdoptOrphans(),
        *plan_zygote_without_mounts(),
        *restricted,
        detour,
    )


def _plan_in_namespaces(seal: Seal, *, is_privileged: bool) -> tuple[Operation, ...]:
    copied = _copied(seal)
    kept = seal.disk.kept if seal.disk is not None and "/" in copied else ()
    held = {*kept, *seal.visible, *seal.writable} - {*copied}
    return (
        Unshare(namespaces=("mount", "ipc")),
        *(Hold(path=path) for path in sorted(held)),
        *_plan_disk(seal, copied, marks="trusted" if is_privileged else "user"),
        MountTmp(path="/tmp", size_bytes=seal.tmp_bytes),
        *(
            PutBack(path=path, is_writable=path in seal.writable)
            for path in sorted({*held, *copied} - {"/"})
        ),
        *_plan_shared_memory(seal),
        KeepApart(),
        DropCapabilities(keep=FILE_CAPABILITIES if is_privileged else ()),
        ForbidNewPrivileges(),
    )


def _copied(seal: Seal) -> tuple[str, ...]:
    """List the folders that are seen through the disk: what is in a service path is not."""
    if seal.disk is None:
        return ()
    return tuple(
        folder
        for folder in sorted(seal.disk.folders)
        if not any(folder == path or folder.startswith(path + "/") for path in seal.writable)
    )


def _plan_disk(seal: Seal, copied: tuple[str, ...], *, marks: Marks) -> tuple[Operation, ...]:
    if seal.disk is None:
        return ()
    disk = SHARED_MEMORY
    return (
        MountTmp(path=disk, size_bytes=seal.disk.size_bytes),
        *(
            HoldCopy(path=path, disk=disk, number=number, marks=marks)
            for number, path in enumerate(copied)
        ),
        MakeReadOnly(path=disk),
        *((ReplaceRoot(old="/tmp"),) if "/" in copied else ()),
    )


def _plan_shared_memory(seal: Seal) -> tuple[Operation, ...]:
    if seal.disk is None:
        return ()
    return (MountTmp(path=SHARED_MEMORY, size_bytes=seal.disk.size_bytes),)


def describe(operation: Operation) -> str:
    """Name an operation in words, for errors.

    Args:
        operation: Any operation.

    Returns:
        The class in words and its values, such as `mount tmp (path='/tmp', size_bytes=512)`.
    """
    name = "".join(f" {c.lower()}" if c.isupper() else c for c in type(operation).__name__)
    _, _, values = repr(operation).partition("(")
    return f"{name.strip()} ({values}"
