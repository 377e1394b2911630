"""That the proof finds what is not sealed: each case leaves one thing out or undoes it."""

# What `os` does is what is tested, so it is not done with pathlib.
# ruff: noqa: PTH106, PTH109, PTH110, PTH118
from __future__ import annotations

import os
import resource
import tempfile
from typing import TYPE_CHECKING

import pytest
from forked import in_a_fork

from pytest_stateless.guest.sandbox import linux
from pytest_stateless.guest.sandbox.apply import apply
from pytest_stateless.guest.sandbox.plan import (
    SHARED_MEMORY,
    DropCapabilities,
    Hold,
    HoldCopy,
    MakeReadOnly,
    MountTmp,
    Operation,
    PutBack,
    ReplaceDevices,
    ReplaceRoot,
    plan_instance,
    plan_namespaces,
    plan_zygote,
)
from pytest_stateless.guest.sandbox.prove import prove
from pytest_stateless.session.disk import own_disk
from pytest_stateless.wire.control import Disk, Seal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_stateless.errors import SandboxSetupError

pytestmark = [
    pytest.mark.usefixtures("sandbox"),
    pytest.mark.filterwarnings("ignore:This process:DeprecationWarning"),
]

SIZE = 1 << 20
SEAL = Seal(tmp_bytes=SIZE)


def whole_plan(seal: Seal) -> tuple[Operation, ...]:
    is_privileged = linux.has_capability(linux.CAP_SYS_ADMIN)
    return (
        *plan_namespaces(
            uid=os.getuid(), gid=os.getgid(), is_privileged=is_privileged, has_pid=False
        ),
        *plan_zygote(has_pid=False),
        *plan_instance(seal, is_privileged=is_privileged),
    )


def sealed_and_proved(
    plan: tuple[Operation, ...], seal: Seal, then: Callable[[], None] = lambda: None
) -> SandboxSetupError | None:
    def work() -> None:
        apply(plan)
        then()
        prove(seal)

    return in_a_fork(work)


def without(*kinds: type) -> tuple[Operation, ...]:
    return tuple(one for one in whole_plan(SEAL) if not isinstance(one, kinds))


def test_the_whole_plan_holds() -> None:
    assert sealed_and_proved(whole_plan(SEAL), SEAL) is None


def test_a_tree_that_stayed_writable_is_found() -> None:
    error = sealed_and_proved(without(MakeReadOnly), SEAL)
    assert error is not None
    assert error.operation == "proof: / is still writable"


def test_one_mount_that_stayed_writable_is_found() -> None:
    plan = tuple(
        extended
        for one in whole_plan(SEAL)
        for extended in (
            (MountTmp(path="/mnt", size_bytes=SIZE), one)
            if isinstance(one, DropCapabilities)
            else (one,)
        )
    )
    error = sealed_and_proved(plan, SEAL)
    assert error is not None
    assert error.operation == "proof: /mnt is still writable"


@pytest.fixture
def folder_below_tmp() -> Iterator[str]:
    path = tempfile.mkdtemp(prefix="stateless-", dir="/tmp")
    yield path
    os.rmdir(path)


def test_a_folder_below_tmp_that_was_put_back_writable_is_found(folder_below_tmp: str) -> None:
    path = folder_below_tmp
    seal = Seal(tmp_bytes=SIZE, visible=(path,))
    wrong = tuple(
        PutBack(path=path, is_writable=True) if isinstance(one, PutBack) else one
        for one in whole_plan(seal)
    )
    assert sealed_and_proved(whole_plan(seal), seal) is None
    error = sealed_and_proved(wrong, seal)
    assert error is not None
    assert error.operation == f"proof: {path} is still writable"


def test_a_tmp_of_another_size_is_found() -> None:
    error = sealed_and_proved(whole_plan(SEAL), Seal(tmp_bytes=2 * SIZE))
    assert error is not None
    assert error.operation == f"proof: /tmp has {SIZE} bytes instead of {2 * SIZE}"


def test_a_tmp_that_is_the_host_s_is_found() -> None:
    error = sealed_and_proved(without(MountTmp), SEAL)
    assert error is not None
    assert error.operation.startswith("proof: /tmp has ")


def test_a_seal_that_can_be_undone_is_found() -> None:
    error = sealed_and_proved(without(DropCapabilities), SEAL)
    assert error is not None
    assert error.operation == "proof: unmount /tmp succeeded"


def test_the_devices_of_the_host_are_no_way_around_the_proof() -> None:
    """Without the cover of /dev, what is mounted there is read-only all the same."""
    assert sealed_and_proved(without(ReplaceDevices), SEAL) is None


# a disk of the instance's own

DISK_SIZE = 2 << 20


def seal_with_disk() -> Seal:
    return Seal(tmp_bytes=SIZE, disk=own_disk(DISK_SIZE, needed=(os.getcwd(),), visible=()))


def first_folder(seal: Seal) -> str:
    assert seal.disk is not None
    return seal.disk.folders[0]


def test_the_whole_plan_with_a_disk_holds() -> None:
    seal = seal_with_disk()
    assert sealed_and_proved(whole_plan(seal), seal) is None


def test_a_disk_that_is_not_there_is_found() -> None:
    seal = seal_with_disk()
    error = sealed_and_proved(whole_plan(SEAL), seal)
    assert error is not None
    assert error.operation.startswith(f"proof: {first_folder(seal)} has ")


def test_the_host_s_own_folder_in_the_place_of_the_disk_is_found() -> None:
    seal = seal_with_disk()
    folder = first_folder(seal)
    put_back = PutBack(path=folder, is_writable=True)
    wrong: list[Operation] = []
    for one in whole_plan(seal):
        if isinstance(one, HoldCopy) and one.path == folder:
            wrong.append(Hold(path=folder))
        elif isinstance(one, ReplaceRoot) or (isinstance(one, PutBack) and one.path == folder):
            wrong.append(put_back)
        else:
            wrong.append(one)
    error = sealed_and_proved(tuple(wrong), seal)
    assert error is not None
    assert error.operation == f"proof: {folder} is still writable"
    assert not os.path.exists(os.path.join(folder, ".pytest-stateless-probe"))


def test_a_disk_of_another_size_is_found() -> None:
    seal = seal_with_disk()
    assert seal.disk is not None
    larger = Disk(size_bytes=2 * DISK_SIZE, folders=seal.disk.folders, kept=seal.disk.kept)
    error = sealed_and_proved(whole_plan(seal), Seal(tmp_bytes=SIZE, disk=larger))
    assert error is not None
    folder = first_folder(seal)
    assert error.operation == f"proof: {folder} has {DISK_SIZE} bytes instead of {2 * DISK_SIZE}"


def test_an_overlay_where_none_was_asked_for_is_found() -> None:
    seal = seal_with_disk()
    error = sealed_and_proved(whole_plan(seal), SEAL)
    assert error is not None
    assert error.operation.endswith(" is still writable")


def test_shared_memory_that_is_the_host_s_is_found() -> None:
    seal = seal_with_disk()
    *before, last = (
        number
        for number, one in enumerate(whole_plan(seal))
        if isinstance(one, MountTmp) and one.path == SHARED_MEMORY
    )
    plan = whole_plan(seal)
    error = sealed_and_proved(plan[:last] + plan[last + 1 :], seal)
    assert before
    assert error is not None
    assert error.operation.startswith(f"proof: {SHARED_MEMORY} has ")


def test_a_seal_with_a_disk_that_can_be_undone_is_found() -> None:
    seal = seal_with_disk()
    plan = tuple(one for one in whole_plan(seal) if not isinstance(one, DropCapabilities))
    error = sealed_and_proved(plan, seal)
    assert error is not None
    assert error.operation == "proof: unmount /tmp succeeded"


# an operation that fails


def test_the_first_operation_that_fails_is_named_and_none_after_it_is_tried() -> None:
    missing = Hold(path="/does/not/exist")
    tries = (*whole_plan(SEAL)[:2], missing, MountTmp(path="/does/not/exist/either", size_bytes=1))
    error = in_a_fork(lambda: apply(tries))
    assert error is not None
    assert error.operation == "hold (path='/does/not/exist')"
    assert (error.syscall, error.errno) == ("open_tree", 2)


def test_a_plan_for_which_there_are_no_descriptors_left_fails() -> None:
    plan = whole_plan(SEAL)

    def work() -> None:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        apply(plan)

    error = in_a_fork(work)
    assert error is not None
    assert error.errno == 24
    assert error.operation


def test_who_maps_another_s_id_is_told_so() -> None:
    plan = plan_namespaces(uid=12345, gid=12345, is_privileged=False, has_pid=False)
    error = in_a_fork(lambda: apply(plan))
    assert error is not None
    assert error.operation == "map user (uid=12345, gid=12345)"
    assert error.errno == 1
