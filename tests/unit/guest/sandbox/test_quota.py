from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from pytest_stateless.guest.sandbox.detour.quota import Quota

if TYPE_CHECKING:
    from pathlib import Path

PAGE = 4096


def write(quota: Quota, descriptor: int, count: int) -> int:
    """Write what fits, as a detour does."""
    return os.write(descriptor, b"x" * quota.take(descriptor, count))


@pytest.fixture
def quota(tmp_path: Path) -> Quota:
    return Quota(str(tmp_path), 4 * PAGE)


@pytest.fixture
def descriptor(tmp_path: Path, quota: Quota) -> int:
    number = os.open(tmp_path / "file", os.O_CREAT | os.O_RDWR)
    quota.descriptors.add(number)
    return number


def test_what_fits_is_written_to_the_last_byte_and_then_nothing(
    quota: Quota, descriptor: int
) -> None:
    assert write(quota, descriptor, 3 * PAGE) == 3 * PAGE
    assert write(quota, descriptor, 2 * PAGE) == PAGE
    with pytest.raises(OSError, match="No space left") as caught:
        quota.take(descriptor, 1)
    assert caught.value.errno == errno.ENOSPC
    assert quota.free_bytes() == 0


def test_writing_over_what_is_there_needs_no_room(quota: Quota, descriptor: int) -> None:
    write(quota, descriptor, 4 * PAGE)
    for _ in range(3):
        os.lseek(descriptor, 0, os.SEEK_SET)
        assert write(quota, descriptor, 4 * PAGE) == 4 * PAGE
    assert quota.take(descriptor, 10, 0) == 10


def test_appending_needs_room_wherever_the_descriptor_stands(quota: Quota, tmp_path: Path) -> None:
    appending = os.open(tmp_path / "log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    write(quota, appending, 4 * PAGE)
    os.lseek(appending, 0, os.SEEK_SET)
    with pytest.raises(OSError, match="No space left"):
        quota.take(appending, 1)


def test_what_is_removed_makes_room(quota: Quota, descriptor: int, tmp_path: Path) -> None:
    write(quota, descriptor, 4 * PAGE)
    other = os.open(tmp_path / "other", os.O_CREAT | os.O_WRONLY)
    with pytest.raises(OSError, match="No space left"):
        quota.take(other, 1)
    (tmp_path / "file").unlink()
    with pytest.raises(OSError, match="No space left"):  # it is open still
        quota.take(other, 1)
    os.close(descriptor)
    quota.descriptors.discard(descriptor)
    assert quota.take(other, 4 * PAGE) == 4 * PAGE


def test_what_others_have_written_counts_once_they_are_distrusted(
    quota: Quota, descriptor: int, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "big").write_bytes(b"x" * 4 * PAGE)
    quota.distrust()
    with pytest.raises(OSError, match="No space left"):
        quota.take(descriptor, 1)


def test_a_file_counts_in_whole_pages(quota: Quota, tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(b"x")
    (tmp_path / "empty").touch()
    (tmp_path / "link").symlink_to("small")
    assert quota.measure() == PAGE


def test_room_that_was_not_used_is_given_back(quota: Quota, descriptor: int) -> None:
    assert quota.take(descriptor, 3 * PAGE) == 3 * PAGE
    quota.give_back(3 * PAGE)
    assert quota.take(descriptor, 4 * PAGE) == 4 * PAGE


def test_nothing_fits_even_where_there_is_no_room(quota: Quota, descriptor: int) -> None:
    write(quota, descriptor, 4 * PAGE)
    assert quota.take(descriptor, 0) == 0
