"""Where writes are discarded: everything can be done, and nothing is left of it."""

# What `os` does is what is tested, so it is not done with pathlib.
# ruff: noqa: PTH109, PTH111
from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attacks import ATTACKS, CONTENT, DONE, attempt
from disk_use import (
    append_and_look,
    bind_and_connect,
    fill,
    look,
    make_a_lock,
    modes,
    mounts_that_can_be_written,
    move_from_tmp,
    read,
    remove_and_make_again,
    write_and_read,
    write_at,
)
from intrusions import INTRUSIONS, intrude, intrude_nested

from pytest_stateless.session.settings import Layer, resolve

if TYPE_CHECKING:
    from sealed_instances import Sealed
    from watched_host import Host

    from pytest_stateless.session.stateless import Stateless

pytest_plugins = ("sealed_instances",)

IS_ROOT = os.geteuid() == 0
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
DISK_BYTES = 64 << 20
# what a disk in memory cannot do
LACKS = {
    # the flags of the host's filesystem are others
    "set_an_inode_flag": {DONE, "ENOTSUP"},
    # overlayfs marks such a folder as only root may
    "rename_a_folder": {DONE if IS_ROOT else "EXDEV"},
}
OF_THE_KERNEL = {
    "write_a_kernel_parameter",
    "write_its_own_entry_in_proc",
    "write_to_sys",
    "make_a_control_group",
}
CLOSED_DOORS = {
    "join_the_mount_namespace_of_the_first_process",
    "join_the_user_namespace_of_the_first_process",
}
# what changes a namespace that nobody else is in, or the disk that nobody else sees
CONTAINED = {
    "bind_the_folder_into_tmp",
    "change_the_root",
    "clear_read_only_of_a_clone",
    "leave_for_a_mount_namespace_of_its_own",
    "mount_over_the_folder",
    "open_a_filesystem",
    "take_a_capability_back",
}
LOCKED = {
    "detach_the_devices",
    "detach_tmp",
    "move_the_mount_of_tmp",
    "pivot_the_root",
    "unmount_tmp",
}


def refusals(name: str) -> set[str]:
    if name in OF_THE_KERNEL:
        return {"EROFS", "EACCES"}
    if name == "open_by_handle":
        return {"EPERM", "ENOTSUP"}  # an overlay has no handles
    return {"EACCES"} if name in CLOSED_DOORS else {"EPERM"}


def nested_refusals(name: str) -> set[str]:
    if name in CONTAINED:
        return {DONE}
    return {"EINVAL", "EPERM"} if name in LOCKED else refusals(name)


@pytest.fixture
def discarding(sealed: Sealed) -> Sealed:
    """A platform whose instances have a disk of their own."""
    values = {"writes": "discard", "memory": "128 MB"}
    sealed.platform.configure(resolve(Layer(origin="marker", values=values)))
    return sealed


@pytest.fixture
def stateless(discarding: Sealed) -> Stateless:
    return discarding.stateless


# what an instance does to files


@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_it_is_done_and_neither_the_host_nor_the_next_instance_sees_it(
    stateless: Stateless, host: Host, name: str
) -> None:
    before = look(host.scene.folder)
    assert stateless.call(attempt, name, host.scene) in LACKS.get(name, {DONE})
    assert stateless.call(look, host.scene.folder) == before
    assert host.changes() == []


@pytest.mark.parametrize("name", ("open_a_new_file", "shell_redirect", "libc_creat"))
def test_it_is_done_in_a_new_interpreter_too(discarding: Sealed, host: Host, name: str) -> None:
    values = {"writes": "discard", "start": "spawn"}
    discarding.platform.configure(resolve(Layer(origin="marker", values=values)))
    assert discarding.stateless.call(attempt, name, host.scene) == DONE
    assert host.changes() == []


def test_an_instance_sees_what_it_has_written_while_it_is_warm(
    stateless: Stateless, host: Host
) -> None:
    with stateless.warm():
        assert stateless.call(write_and_read, host.scene.file) == "changed"
        assert stateless.call(read, host.scene.file) == "changed"
    assert stateless.call(read, host.scene.file) == CONTENT
    assert host.changes() == []


def test_a_folder_that_is_removed_and_made_again_is_empty(stateless: Stateless, host: Host) -> None:
    assert stateless.call(remove_and_make_again, host.scene.path("full")) == []
    assert host.changes() == []


def test_what_the_test_writes_while_a_spare_instance_waits_is_read(
    stateless: Stateless, host: Host
) -> None:
    stateless.call(os.getpid)  # a spare one is made for the next request
    (host.folder / "full" / "note").write_text("from the test", encoding="utf-8")
    assert stateless.call(read, str(host.folder / "full" / "note")) == "from the test"


# the tree


def test_root_can_write_everywhere_and_others_nothing_of_somebody_else_s(
    stateless: Stateless,
) -> None:
    folders = ["/", "/etc", "/usr", "/var/lib", os.getcwd()]
    outcome = DONE if IS_ROOT else "EROFS"
    assert stateless.call(write_at, folders) == dict.fromkeys(folders, outcome)
    assert not any(Path(folder, "made").exists() for folder in folders)


def test_the_suite_s_own_folders_and_the_common_one_can_be_written(
    stateless: Stateless, tmp_path: Path
) -> None:
    folders = [os.path.expanduser("~"), str(tmp_path), "/var/tmp"]
    assert stateless.call(write_at, folders) == dict.fromkeys(folders, DONE)
    assert not any(Path(folder, "made").exists() for folder in folders)


def test_what_is_the_machine_s_stays_read_only(stateless: Stateless) -> None:
    folders = ["/run", "/dev", "/sys"]
    assert stateless.call(write_at, folders) == dict.fromkeys(folders, "EROFS")


NOBODY = 65534


def test_a_file_keeps_its_owner_when_it_is_changed(stateless: Stateless, tmp_path: Path) -> None:
    path = tmp_path / "theirs"
    path.write_text(CONTENT, encoding="utf-8")
    if IS_ROOT:
        os.chown(path, NOBODY, NOBODY)
    owner = NOBODY if IS_ROOT else os.geteuid()
    assert stateless.call(append_and_look, str(path)) == (owner, len(CONTENT) + 4)
    assert path.read_text(encoding="utf-8") == CONTENT


def test_folders_keep_their_modes(stateless: Stateless, tmp_path: Path) -> None:
    paths = ["/", "/var/tmp", os.path.expanduser("~"), str(tmp_path)]
    assert stateless.call(modes, paths) == modes(paths)


def test_the_disk_holds_its_size_and_tmp_is_none_of_it(stateless: Stateless, host: Host) -> None:
    with stateless.warm():
        written, error = stateless.call(fill, host.scene.new)
        assert error == "ENOSPC"
        assert DISK_BYTES - 16 * PAGE_BYTES < written <= DISK_BYTES
        assert stateless.call(write_and_read, "/tmp/note") == "changed"
    assert host.changes() == []


def test_shared_memory_is_there_and_private(stateless: Stateless) -> None:
    assert stateless.call(make_a_lock) == "locked"
    assert stateless.call(write_at, ["/dev/shm"]) == {"/dev/shm": DONE}
    assert stateless.call(os.listdir, "/dev/shm") == []
    assert not Path("/dev/shm/made").exists()


def test_a_socket_of_its_own_on_the_disk_works(stateless: Stateless, host: Host) -> None:
    assert stateless.call(bind_and_connect, host.scene.new) == b"tea"
    assert host.changes() == []


def test_tmp_and_the_disk_are_two_filesystems(stateless: Stateless, host: Host) -> None:
    assert stateless.call(move_from_tmp, host.scene.new) == ["EXDEV", "whole"]


# service paths


def test_a_service_path_is_the_real_folder_and_its_neighbours_are_not(
    stateless: Stateless, host: Host
) -> None:
    service = host.folder / "empty"
    stateless.service_path(service)
    outcomes = stateless.call(write_at, [str(service), str(host.folder / "full")])
    assert set(outcomes.values()) == {DONE}
    assert (service / "made").is_dir()
    assert not (host.folder / "full" / "made").exists()
    assert stateless.call(write_at, [str(service)]) == {str(service): "EEXIST"}


@pytest.mark.parametrize("path", ("/", "/tmp", "/proc", "/sys/kernel", "/dev"))
def test_a_folder_that_would_undo_the_seal_is_refused(stateless: Stateless, path: str) -> None:
    from pytest_stateless.errors import SandboxSetupError

    stateless.service_path(path)
    with pytest.raises(SandboxSetupError):
        stateless.call(os.getpid)


# what an instance does to the seal


@pytest.mark.parametrize("name", sorted(INTRUSIONS))
def test_an_intrusion_is_refused_and_the_host_stays_as_it_is(
    stateless: Stateless, host: Host, name: str
) -> None:
    assert stateless.call(intrude, name, host.scene) in refusals(name)
    assert host.changes() == []


@pytest.mark.parametrize("name", sorted(INTRUSIONS))
def test_it_is_refused_or_contained_in_a_user_namespace_made_in_the_instance(
    stateless: Stateless, host: Host, name: str
) -> None:
    assert stateless.call(intrude_nested, name, host.scene) in nested_refusals(name)
    assert host.changes() == []


def test_only_overlays_and_private_memory_can_be_written(
    discarding: Sealed, stateless: Stateless
) -> None:
    disk = discarding.platform.recipe().seal.disk
    assert disk is not None
    expected = {(folder, "overlay") for folder in disk.folders}
    expected |= {("/tmp", "tmpfs"), ("/dev/shm", "tmpfs")}
    assert stateless.call(mounts_that_can_be_written) == sorted(expected)


def test_an_instance_after_one_that_discards_refuses_again(sealed: Sealed, host: Host) -> None:
    for writes, outcome in (("discard", DONE), ("refuse", "EROFS")) * 2:
        sealed.platform.configure(resolve(Layer(origin="marker", values={"writes": writes})))
        assert sealed.stateless.call(attempt, "open_to_write", host.scene) == outcome
    assert host.changes() == []
