# What `os` does is what is tested, so it is not done with pathlib.
# ruff: noqa: PTH110, PTH211
from __future__ import annotations

import ctypes
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attacks import DONE, LIBC, Scene, outcome_of
from intrusions import (
    INTRUSIONS,
    PR_GET_NO_NEW_PRIVS,
    descriptors,
    intrude,
    intrude_nested,
    kill_everything_in_reach,
    open_file_by_handle,
    other_processes,
    reach_other_processes,
    status,
)

from pytest_stateless.guest.sandbox.plan import DEVICES
from pytest_stateless.instance.drive import run
from pytest_stateless.wire.control import Signal
from pytest_stateless.wire.messages import Sealed as Sealed_

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sealed_instances import Sealed
    from watched_host import Host

    from pytest_stateless.instance.handle import InstanceHandle
    from pytest_stateless.session.stateless import Stateless

pytest_plugins = ("sealed_instances",)

IS_ROOT = os.geteuid() == 0
LANDLOCK_CREATE_RULESET, LANDLOCK_VERSION_OF_SCOPES = 444, 6
FILES_OF_THE_KERNEL = {
    "write_a_kernel_parameter",
    "write_to_sys",
    "write_its_own_entry_in_proc",
    "make_a_control_group",
    "make_a_block_device_in_the_folder",
}
CLOSED_DOORS = {
    "join_the_mount_namespace_of_the_first_process",
    "join_the_user_namespace_of_the_first_process",
}
# what changes a namespace that nobody else is in
CONTAINED = {
    "mount_over_the_folder",
    "open_a_filesystem",
    "change_the_root",
    "leave_for_a_mount_namespace_of_its_own",
    "take_a_capability_back",
}
# what the kernel answers where a namespace of less privilege tries to take a mount apart
LOCKED = {
    "unmount_tmp",
    "detach_tmp",
    "detach_the_devices",
    "move_the_mount_of_tmp",
    "pivot_the_root",
}


def refusals(name: str) -> set[str]:
    if name in FILES_OF_THE_KERNEL:
        return {"EROFS"} if IS_ROOT else {"EROFS", "EACCES"}
    return {"EACCES"} if name in CLOSED_DOORS else {"EPERM"}


def nested_refusals(name: str) -> set[str]:
    if name in CONTAINED:
        return {DONE}
    if name in LOCKED:
        return {"EINVAL", "EPERM"}
    if name == "bind_the_folder_into_tmp":
        return {"EROFS"}  # the bind is allowed, and as read-only as what it binds
    return refusals(name)


@pytest.mark.parametrize("name", sorted(INTRUSIONS))
def test_it_is_refused_and_the_host_stays_as_it_is(
    stateless: Stateless, host: Host, name: str
) -> None:
    assert stateless.call(intrude, name, host.scene) in refusals(name)
    assert host.changes() == []


@pytest.mark.parametrize("name", sorted(INTRUSIONS))
def test_it_is_refused_to_the_root_of_a_user_namespace_made_in_the_instance(
    stateless: Stateless, host: Host, name: str
) -> None:
    outcome = stateless.call(intrude_nested, name, host.scene)
    assert outcome in nested_refusals(name)
    assert host.changes() == []


@pytest.fixture
def service_path() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="stateless-service-", dir="/var/tmp"))
    yield folder
    shutil.rmtree(folder)


def open_a_neighbour_by_handle(service: str, path: str) -> str:
    folder = os.open(service, os.O_RDONLY | os.O_DIRECTORY)
    os.close(os.open("own", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
    return outcome_of(open_file_by_handle, folder, path)


def test_a_service_path_opens_no_other_file_of_its_filesystem(
    stateless: Stateless, host: Host, service_path: Path
) -> None:
    stateless.service_path(service_path)
    outcome = stateless.call(open_a_neighbour_by_handle, str(service_path), host.scene.file)
    assert (service_path / "own").exists()
    assert outcome == "EPERM"
    assert host.changes() == []


def test_a_service_path_leads_nowhere_else(
    stateless: Stateless, host: Host, service_path: Path
) -> None:
    stateless.service_path(service_path)
    assert stateless.call(leave_a_service_path, str(service_path), host.scene) == {
        "up": "EROFS",
        "symbolic link": "EROFS",
        "hard link": "EXDEV",
        "rename": "EXDEV",
    }
    assert host.changes() == []


def leave_a_service_path(service: str, scene: Scene) -> dict[str, str]:
    os.chdir(service)
    up = os.path.relpath(scene.new, service)
    os.symlink(scene.file, "symbolic")
    return {
        "up": outcome_of(os.mkdir, up),
        "symbolic link": outcome_of(os.truncate, "symbolic", 0),
        "hard link": outcome_of(os.link, scene.file, "hard"),
        "rename": outcome_of(os.rename, scene.file, "moved"),
    }


# the processes


def signals_are_scoped() -> bool:
    version = LIBC.syscall(LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    return bool(version >= LANDLOCK_VERSION_OF_SCOPES)


scoped = pytest.mark.skipif(
    not signals_are_scoped(), reason="this kernel cannot keep processes of one user apart"
)


@pytest.fixture
def other_instance(sealed: Sealed) -> Iterator[InstanceHandle]:
    """A sealed instance that waits for its first request."""
    handle = sealed.platform.fleet.acquire(sealed.platform.recipe())
    assert isinstance(run(handle.next_message()), Sealed_)
    yield handle
    sealed.platform.fleet.retire(handle)


def test_every_way_into_the_zygote_is_closed(stateless: Stateless, host: Host) -> None:
    outcomes = stateless.call(reach_other_processes, host.scene)
    assert set(outcomes[1].values()) <= {"EACCES", "EPERM", "EROFS"}
    assert host.changes() == []


@scoped
@pytest.mark.usefixtures("other_instance")
def test_every_way_into_another_instance_is_closed(stateless: Stateless, host: Host) -> None:
    outcomes = stateless.call(reach_other_processes, host.scene)
    waiting = min(pid for pid in outcomes if pid != 1)  # the others may be just coming or going
    assert set(outcomes[waiting].values()) <= {"EACCES", "EPERM", "EROFS"}
    assert host.changes() == []


def test_an_instance_sees_forks_of_the_zygote_and_no_process_of_the_host(
    stateless: Stateless,
) -> None:
    others = stateless.call(other_processes)
    assert others[0] == 1
    lines = stateless.call(command_lines, others)
    assert lines
    assert all("pytest_stateless.forkserver.launch" in line for line in lines)


def command_lines(pids: list[int]) -> list[str]:
    """Command lines of those that still run."""
    paths = (Path(f"/proc/{pid}/cmdline") for pid in pids)
    lines = [path.read_text(encoding="utf-8") for path in paths if path.exists()]
    return [line for line in lines if line]


@scoped
def test_an_instance_that_signals_all_it_can_reach_harms_nobody_else(
    stateless: Stateless, other_instance: InstanceHandle
) -> None:
    outcomes = stateless.call(kill_everything_in_reach)
    assert outcomes["its process group"] == DONE
    assert outcomes["the first process"] == "EPERM"
    other_instance.signal(Signal(instance=other_instance.number, action="thaw"))
    assert not other_instance.has_ended()


def test_the_next_request_works_after_all_that_could_be_killed_was(
    stateless: Stateless,
) -> None:
    zygote = stateless._platform.fleet.zygote()
    stateless.call(kill_everything_in_reach)
    assert stateless.call(other_processes)[0] == 1
    assert stateless._platform.fleet.zygote() is zygote


def test_an_instance_has_the_standard_streams_and_its_channel_and_nothing_else(
    stateless: Stateless,
) -> None:
    stateless.call(other_processes)  # so that the zygote has had other children to forget
    found = stateless.call(descriptors)
    kinds = {number: target.partition(":")[0] for number, target in found.items()}
    channel = {number for number in kinds if number > 2}
    assert {number: kinds[number] for number in (0, 1, 2)} == {0: "/dev/null", 1: "pipe", 2: "pipe"}
    assert [kinds[number] for number in channel] == ["socket"]


def test_the_devices_are_those_that_cannot_hurt(stateless: Stateless) -> None:
    expected = {name for name in DEVICES if os.path.exists(f"/dev/{name}")}
    expected |= {"fd", "shm", "stdin", "stdout", "stderr"}
    assert set(stateless.call(os.listdir, "/dev")) == expected


def test_root_keeps_what_lets_it_read_and_nobody_keeps_anything(stateless: Stateless) -> None:
    said = stateless.call(status)
    allowed = 0b11011 if IS_ROOT else 0
    masks = {name: int(said[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")}
    assert all(mask & ~allowed == 0 for mask in masks.values()), masks
    assert int(said["CapBnd"], 16) & ~allowed == 0
    assert said["NoNewPrivs"] == "1"


def gain_by_setuid() -> tuple[int, str]:
    """Run a program that the host lets become root, and say who it was."""
    import subprocess

    libc = ctypes.CDLL(None)
    ended = subprocess.run(
        ["su", "-s", "/bin/sh", "-c", "id -u; grep CapEff /proc/self/status", "root"],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    return libc.prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), ended.stdout


@pytest.mark.skipif(shutil.which("su") is None, reason="no setuid program to try")
def test_a_setuid_program_gains_nothing(stateless: Stateless) -> None:
    no_new_privileges, said = stateless.call(gain_by_setuid)
    assert no_new_privileges == 1
    gained = int(said.rpartition("CapEff:")[2].strip() or "0", 16)
    assert gained & ~(0b11011 if IS_ROOT else 0) == 0
    if not IS_ROOT:
        assert not said.startswith("0\n")


def core_limit() -> tuple[int, int]:
    import resource

    return resource.getrlimit(resource.RLIMIT_CORE)


def test_a_crash_dumps_no_core_also_where_the_host_would_collect_it(stateless: Stateless) -> None:
    assert stateless.call(core_limit) == (1, 1)
