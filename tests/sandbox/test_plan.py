"""What a plan consists of, and in which order; no kernel needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_stateless.guest.sandbox.plan import (
    DEVICES,
    FILE_CAPABILITIES,
    SHARED_MEMORY,
    DetourPython,
    DropCapabilities,
    ForbidNewPrivileges,
    Hold,
    HoldCopy,
    KeepApart,
    MakePrivate,
    MakeReadOnly,
    MapUser,
    MountProc,
    MountTmp,
    NarrowBounds,
    Operation,
    PutBack,
    ReplaceDevices,
    ReplaceRoot,
    RestrictWrites,
    Unshare,
    describe,
    plan_instance,
    plan_namespaces,
    plan_zygote,
)
from pytest_stateless.wire.control import Disk, Seal

if TYPE_CHECKING:
    from pytest_stateless.model.isolation import IsolationName

WHOLE = Disk(size_bytes=2, folders=("/", "/home", "/tmp/a"), kept=("/dev", "/proc", "/sys"))
SEALS = (
    Seal(tmp_bytes=1),
    Seal(tmp_bytes=1, visible=("/tmp/a", "/tmp/b")),
    Seal(tmp_bytes=1, writable=("/tmp/a", "/srv/b")),
    Seal(tmp_bytes=1, visible=("/tmp/a",), writable=("/tmp/a/b", "/tmp/a/b/c")),
    Seal(tmp_bytes=1, visible=("/tmp/a",), writable=("/tmp/a",)),
    Seal(tmp_bytes=1, visible=("/tmp/a",), disk=WHOLE),
    Seal(tmp_bytes=1, visible=("/tmp/a", "/tmp/b"), writable=("/home/b", "/srv"), disk=WHOLE),
    Seal(tmp_bytes=1, visible=("/tmp/a",), writable=("/home", "/tmp/a"), disk=WHOLE),
    Seal(tmp_bytes=1, visible=("/tmp/a",), disk=Disk(size_bytes=2, folders=("/home/u", "/tmp/a"))),
)
seals = pytest.mark.parametrize("seal", SEALS)
privileged = pytest.mark.parametrize("is_privileged", (True, False))


@seals
@privileged
def test_the_last_operations_are_those_that_cannot_be_undone(
    seal: Seal, *, is_privileged: bool
) -> None:
    plan = plan_instance(seal, is_privileged=is_privileged)
    keep = FILE_CAPABILITIES if is_privileged else ()
    assert plan[-3:] == (KeepApart(), DropCapabilities(keep=keep), ForbidNewPrivileges())


@seals
def test_everything_is_held_before_tmp_is_covered_and_put_back_after(seal: Seal) -> None:
    plan = plan_instance(seal, is_privileged=True)
    cover = plan.index(MountTmp(path="/tmp", size_bytes=seal.tmp_bytes))
    held = [position for position, one in enumerate(plan) if isinstance(one, Hold)]
    put_back = [position for position, one in enumerate(plan) if isinstance(one, PutBack)]
    assert all(position < cover for position in held)
    assert all(position > cover for position in put_back)


@seals
def test_what_is_held_is_put_back_once_and_writable_only_if_it_is_a_service_path(
    seal: Seal,
) -> None:
    plan = plan_instance(seal, is_privileged=True)
    held = [one.path for one in plan if isinstance(one, (Hold, HoldCopy)) and one.path != "/"]
    put_back = {one.path: one.is_writable for one in plan if isinstance(one, PutBack)}
    assert {*seal.visible, *seal.writable} <= {*held}
    assert len(held) == len({*held})
    assert put_back == {path: path in seal.writable for path in held}


@seals
def test_a_folder_is_put_back_after_the_folders_that_contain_it(seal: Seal) -> None:
    plan = plan_instance(seal, is_privileged=True)
    order = [one.path for one in plan if isinstance(one, PutBack)]
    for position, path in enumerate(order):
        assert not any(outer.startswith(path + "/") for outer in order[:position])


@seals
@privileged
def test_an_instance_leaves_the_mounts_of_others_before_it_changes_any(
    seal: Seal, *, is_privileged: bool
) -> None:
    first = plan_instance(seal, is_privileged=is_privileged)[0]
    assert first == Unshare(namespaces=("mount", "ipc"))


with_a_disk = pytest.mark.parametrize("seal", [seal for seal in SEALS if seal.disk is not None])


def kinds(seal: Seal) -> list[type[object]]:
    return [type(one) for one in plan_instance(seal, is_privileged=True)]


def test_an_instance_without_a_disk_of_its_own_has_nothing_of_one() -> None:
    plan = plan_instance(Seal(tmp_bytes=1, visible=("/tmp/a",)), is_privileged=True)
    assert not any(isinstance(one, (HoldCopy, MakeReadOnly, ReplaceRoot)) for one in plan)
    assert [one.path for one in plan if isinstance(one, MountTmp)] == ["/tmp"]


@with_a_disk
def test_what_is_a_service_path_or_lies_in_one_is_no_copy(seal: Seal) -> None:
    plan = plan_instance(seal, is_privileged=True)
    copies = [one.path for one in plan if isinstance(one, HoldCopy)]
    assert seal.disk is not None
    assert {*copies} <= {*seal.disk.folders}
    for path in seal.writable:
        assert not any(copy == path or copy.startswith(path + "/") for copy in copies)


@with_a_disk
def test_the_disk_is_mounted_after_all_is_held_and_read_only_before_anything_is_put_back(
    seal: Seal,
) -> None:
    order = kinds(seal)
    disk = order.index(MountTmp)
    closed = order.index(MakeReadOnly)
    assert Hold not in order[disk:]
    assert disk < order.index(HoldCopy) < closed < order.index(PutBack)
    assert HoldCopy not in order[closed:]
    if ReplaceRoot in order:
        assert closed < order.index(ReplaceRoot) < order.index(MountTmp, closed)


@with_a_disk
def test_the_last_that_is_mounted_is_empty_shared_memory_of_the_disk_s_size(seal: Seal) -> None:
    assert seal.disk is not None
    mounts = [one for one in plan_instance(seal, is_privileged=True) if isinstance(one, MountTmp)]
    size = seal.disk.size_bytes
    assert mounts[0] == mounts[-1] == MountTmp(path=SHARED_MEMORY, size_bytes=size)
    assert kinds(seal)[-4] is MountTmp


@privileged
def test_only_root_replaces_the_root_and_keeps_what_is_not_on_the_disk(
    *, is_privileged: bool
) -> None:
    folders = ("/",) if is_privileged else ("/home/u",)
    seal = Seal(tmp_bytes=1, disk=Disk(size_bytes=2, folders=folders, kept=("/proc", "/sys")))
    plan = plan_instance(seal, is_privileged=is_privileged)
    held = [one.path for one in plan if isinstance(one, Hold)]
    assert held == (["/proc", "/sys"] if is_privileged else [])
    marks = {one.marks for one in plan if isinstance(one, HoldCopy)}
    assert marks == {"trusted" if is_privileged else "user"}


@pytest.mark.parametrize("has_pid", (True, False))
def test_a_user_namespace_comes_first_and_is_mapped_before_any_mount(*, has_pid: bool) -> None:
    plan = plan_namespaces(uid=1000, gid=100, is_privileged=False, has_pid=has_pid)
    unshare, *rest = plan
    assert isinstance(unshare, Unshare)
    assert unshare.namespaces[0] == "user"
    assert rest == [MapUser(uid=1000, gid=100), MakePrivate()]


@pytest.mark.parametrize("has_pid", (True, False))
def test_root_needs_no_user_namespace(*, has_pid: bool) -> None:
    plan = plan_namespaces(uid=0, gid=0, is_privileged=True, has_pid=has_pid)
    unshare = Unshare(namespaces=("mount", "pid") if has_pid else ("mount",))
    assert plan == (unshare, MakePrivate())


def test_the_zygote_s_tree_becomes_read_only_when_all_its_mounts_are_made() -> None:
    devices, read_only = ReplaceDevices(names=DEVICES), MakeReadOnly(path="/")
    bounds = NarrowBounds(keep=FILE_CAPABILITIES)
    assert plan_zygote(has_pid=True) == (MountProc(), devices, read_only, bounds)


def test_without_a_pid_namespace_the_zygote_keeps_the_proc_of_the_host() -> None:
    assert not any(isinstance(one, MountProc) for one in plan_zygote(has_pid=False))


def test_no_device_that_leads_to_a_disk_or_to_memory_is_kept() -> None:
    assert set(DEVICES) <= {"null", "zero", "full", "random", "urandom", "tty"}


def test_no_kept_capability_undoes_a_mount_or_opens_files_by_handle() -> None:
    dac_read_search, mknod, sys_admin, sys_ptrace, sys_chroot = 2, 27, 21, 19, 18
    assert not {dac_read_search, mknod, sys_admin, sys_ptrace, sys_chroot} & {*FILE_CAPABILITIES}


# where nothing is mounted

others = pytest.mark.parametrize("isolation", ("landlock", "fake"))


def plan_other(isolation: IsolationName, *, is_linux: bool = True) -> tuple[Operation, ...]:
    seal = Seal(tmp_bytes=5, visible=("/tmp/a",), writable=("/srv/b",), isolation=isolation)
    return plan_instance(seal, is_privileged=True, private="/tmp/p", is_linux=is_linux)


@others
def test_without_mounts_the_interpreter_s_detours_come_last(isolation: IsolationName) -> None:
    assert plan_other(isolation)[-1] == DetourPython(
        private="/tmp/p",
        size_bytes=5,
        visible=("/tmp/a",),
        writable=("/srv/b",),
        devices=tuple(f"/dev/{name}" for name in DEVICES),
    )


@others
def test_without_mounts_nothing_needs_a_privilege_and_none_is_kept(
    isolation: IsolationName,
) -> None:
    plan = plan_other(isolation)
    assert not any(isinstance(one, Unshare | MountTmp | PutBack | Hold) for one in plan)
    assert DropCapabilities(keep=FILE_CAPABILITIES) in plan
    assert plan.index(ForbidNewPrivileges()) < plan.index(DropCapabilities(keep=FILE_CAPABILITIES))


def test_landlock_allows_the_private_folder_and_service_paths_and_nothing_else() -> None:
    plan = plan_other("landlock")
    (restrict,) = (one for one in plan if isinstance(one, RestrictWrites))
    assert restrict.folders == ("/tmp/p", "/srv/b")
    assert plan.index(ForbidNewPrivileges()) < plan.index(restrict)
    assert not any(isinstance(one, RestrictWrites) for one in plan_other("fake"))


@others
def test_on_another_kernel_the_interpreter_is_all_there_is(isolation: IsolationName) -> None:
    (only,) = plan_other(isolation, is_linux=False)
    assert isinstance(only, DetourPython)


def test_an_operation_is_named_in_words() -> None:
    assert describe(MountTmp(path="/tmp", size_bytes=512)) == (
        "mount tmp (path='/tmp', size_bytes=512)"
    )
    assert describe(ForbidNewPrivileges()) == "forbid new privileges ()"
