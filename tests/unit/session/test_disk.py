from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pytest_stateless.guest.mounts import Mount
from pytest_stateless.session import disk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def fresh_caches() -> Iterator[None]:
    caches = (disk._layout, disk._shallow, disk._reachable)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


def mount(point: str, kind: str = "ext4", *, read_only: str = "") -> Mount:
    return Mount(
        number=1,
        point=point,
        kind=kind,
        source="/dev/sda1",
        is_read_only=read_only == "mount",
        is_read_only_filesystem=read_only == "filesystem",
    )


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree in the place of the root, in which everything is a folder that can be written."""
    monkeypatch.setattr(disk, "_is_folder", lambda path: not path.endswith(".conf"))
    monkeypatch.setattr(disk, "KEPT", ("/dev", "/proc", "/run", "/sys"))
    return tmp_path


# root


@pytest.mark.usefixtures("machine")
def test_root_gets_every_filesystem_but_the_machine_s_own() -> None:
    mounts = [
        mount("/"),
        mount("/home"),
        mount("/xfs/data", "xfs"),
        mount("/proc", "proc"),
        mount("/sys/fs/cgroup", "cgroup2"),
        mount("/dev/shm", "tmpfs"),
        mount("/run/user/0", "tmpfs"),
    ]
    folders, kept = disk.of_root(mounts, ())
    assert folders == ("/", "/home", "/xfs/data")
    assert kept == ("/dev", "/proc", "/run", "/sys")


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    "other",
    (
        mount("/other", read_only="mount"),
        mount("/other", "squashfs", read_only="filesystem"),
        mount("/other", "vfat"),
        mount("/other", "autofs"),
        mount("/etc/hosts.conf"),
    ),
    ids=lambda other: f"{other.kind}-{other.point}",
)
def test_what_cannot_be_seen_through_a_disk_or_is_read_only_stays_what_it_is(other: Mount) -> None:
    folders, kept = disk.of_root([mount("/"), other], ())
    assert folders == ("/",)
    assert other.point in kept


@pytest.mark.usefixtures("machine")
def test_a_filesystem_in_one_that_stays_is_seen_through_the_disk_all_the_same() -> None:
    outer, inner = mount("/snap", read_only="mount"), mount("/snap/data")
    folders, kept = disk.of_root([mount("/"), outer, inner], ())
    assert folders == ("/", "/snap/data")
    assert "/snap" in kept


@pytest.mark.usefixtures("machine")
def test_what_is_mounted_below_tmp_is_left_out_unless_it_is_visible() -> None:
    mounts = [mount("/"), mount("/tmp", "tmpfs"), mount("/tmp/a/in"), mount("/tmp/b/in")]
    folders, kept = disk.of_root(mounts, ("/tmp/a",))
    assert folders == ("/", "/tmp/a", "/tmp/a/in")
    assert not any(path.startswith("/tmp") for path in kept)


# an ordinary user


@pytest.fixture
def writable(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The folders that the user may write, in a tree with the usual first levels."""
    found: set[str] = set()
    levels = {
        "/": ["/etc", "/home", "/opt", "/proc", "/run", "/srv", "/tmp", "/var"],
        "/home": ["/home/ann", "/home/bob"],
        "/var": ["/var/lib", "/var/tmp"],
    }
    monkeypatch.setattr(disk, "_folders_in", lambda folder: levels.get(folder, []))
    monkeypatch.setattr(disk, "_is_folder", lambda _: True)
    monkeypatch.setattr(os, "access", lambda path, _: path in found)
    monkeypatch.setattr(os.path, "realpath", lambda path: path)
    return found


def test_a_user_gets_the_outermost_folders_that_the_user_may_write(writable: set[str]) -> None:
    writable |= {"/home/ann", "/home/ann/project", "/var/tmp", "/opt/deep/own", "/run/user/1"}
    mounts = [mount("/"), mount("/srv/disk")]
    needed = ("/home/ann/project", "/opt/deep/own/venv", "/etc")
    assert disk.of_user(mounts, needed, ()) == ("/home/ann", "/opt/deep/own", "/var/tmp")
    writable |= {"/opt/deep", "/srv/disk"}
    assert disk.of_user(mounts, needed, ()) == ("/home/ann", "/opt/deep", "/srv/disk", "/var/tmp")


def test_a_folder_in_which_something_is_mounted_is_left_to_the_folders_in_it(
    writable: set[str],
) -> None:
    writable |= {"/home/ann", "/home/ann/projects", "/home/ann/projects/shop", "/home/ann/mnt"}
    mounts = [mount("/"), mount("/home/ann/mnt")]
    found = disk.of_user(mounts, ("/home/ann/projects/shop",), ())
    assert found == ("/home/ann/mnt", "/home/ann/projects")


def test_the_root_is_never_a_user_s(writable: set[str]) -> None:
    writable |= {"/", "/etc", "/proc", "/run", "/tmp"}
    assert disk.of_user([mount("/")], ("/",), ()) == ("/etc",)


def test_what_stays_visible_below_tmp_is_a_user_s_if_the_user_may_write_it(
    writable: set[str],
) -> None:
    writable |= {"/tmp/mine", "/tmp/mounted"}
    mounts = [mount("/"), mount("/tmp/mounted/in")]
    visible = ("/tmp/mine", "/tmp/mounted", "/tmp/theirs")
    assert disk.of_user(mounts, ("/tmp/mine",), visible) == ("/tmp/mine",)


# this machine


def test_this_machine_s_disk_has_only_folders_that_exist_and_are_no_part_of_another(
    tmp_path: Path,
) -> None:
    made = disk.own_disk(7, needed=(str(tmp_path), os.getcwd()), visible=())  # noqa: PTH109
    assert made.size_bytes == 7
    assert made.folders
    assert all(os.path.isdir(folder) for folder in made.folders)  # noqa: PTH112
    assert not {*made.folders} & {"/proc", "/sys", "/dev", "/run", "/tmp"}
    assert made == disk.own_disk(7, needed=(str(tmp_path), os.getcwd()), visible=())  # noqa: PTH109


def test_of_mounts_at_one_point_the_one_that_is_seen_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    numbers = {"/": 1, "/home": 3}
    mounts = tuple(
        Mount(number=number, point=point, kind="ext4", source="")
        for number, point in ((1, "/"), (2, "/home"), (3, "/home"), (4, "/home/gone"))
    )
    monkeypatch.setattr(disk, "read_mounts", lambda: mounts)
    monkeypatch.setattr(disk, "_number_of", lambda point: numbers.get(point, -1))
    assert [one.number for one in disk._reachable()] == [1, 3]


def test_the_kernel_s_number_of_a_mount_is_that_of_its_table() -> None:
    from pytest_stateless.guest.mounts import read_mounts

    numbers = {one.number for one in read_mounts() if one.point == "/proc"}
    assert disk._number_of("/proc") in numbers
    assert disk._number_of("/does/not/exist") == -1
