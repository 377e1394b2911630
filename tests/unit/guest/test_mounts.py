from __future__ import annotations

from pytest_stateless.guest import mounts
from pytest_stateless.guest.mounts import Mount


def test_a_row_of_the_table_is_read() -> None:
    row = (
        b"36 35 98:0 /mnt1 /mnt2 ro,noatime shared:1 master:2 - ext4 /dev/root rw,errors=continue\n"
    )
    assert mounts._read(row) == Mount(
        number=36, point="/mnt2", kind="ext4", source="/dev/root", is_read_only=True
    )


def test_a_filesystem_that_is_read_only_is_told_apart_from_a_mount_that_is() -> None:
    row = b"40 35 7:1 / /snap/core rw,relatime - squashfs /dev/loop1 ro,errors=continue\n"
    assert mounts._read(row) == Mount(
        number=40,
        point="/snap/core",
        kind="squashfs",
        source="/dev/loop1",
        is_read_only_filesystem=True,
    )


def test_a_point_of_any_name_is_read() -> None:
    row = b"1 0 8:1 / /with\\040space\\011tab\\134slash rw - ext4 my\\040disk rw\n"
    read = mounts._read(row)
    assert (read.point, read.source) == ("/with space\ttab\\slash", "my disk")


def test_the_mounts_of_this_process_begin_with_a_root() -> None:
    points = [mount.point for mount in mounts.read_mounts()]
    assert "/" in points
    assert "/proc" in points
