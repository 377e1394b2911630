# What `os` does is what is tested, so it is not done with pathlib.
# ruff: noqa: PTH208
from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attacks import DONE, outcome_of
from each_isolation import under_each_isolation

from pytest_stateless.errors import SandboxSetupError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sealed_instances import Sealed

    from pytest_stateless.model.isolation import IsolationName
    from pytest_stateless.session.stateless import Stateless

pytest_plugins = ("sealed_instances",)
pytestmark = under_each_isolation


@pytest.fixture(params=("outside_tmp", "below_tmp"))
def folder(request: pytest.FixtureRequest) -> Iterator[Path]:
    if request.param == "below_tmp":
        yield request.getfixturevalue("tmp_path")
        return
    made = Path(tempfile.mkdtemp(prefix="stateless-service-", dir="/var/tmp"))
    yield made
    shutil.rmtree(made)


def write(paths: list[str]) -> list[str]:
    return [outcome_of(os.mkdir, path) for path in paths]


def test_a_service_path_is_writable_and_its_neighbours_are_not(
    stateless: Stateless, folder: Path
) -> None:
    for name in ("service", "service-2", "servic"):
        (folder / name).mkdir()
    stateless.service_path(folder / "service")
    paths = ["service/x", "service-2/x", "servic/x", "x"]
    outcomes = stateless.call(write, [str(folder / path) for path in paths])
    assert outcomes == [DONE, "EROFS", "EROFS", "EROFS"]
    assert sorted(os.listdir(folder / "service")) == ["x"]


def test_what_one_instance_writes_to_a_service_path_the_next_one_reads(
    stateless: Stateless, folder: Path
) -> None:
    stateless.service_path(folder)
    assert stateless.call(write, [str(folder / "x")]) == [DONE]
    assert stateless.call(write, [str(folder / "x")]) == ["EEXIST"]


def test_nested_service_paths_are_both_writable(stateless: Stateless, folder: Path) -> None:
    (folder / "outer" / "inner").mkdir(parents=True)
    stateless.service_path(folder / "outer" / "inner")
    stateless.service_path(folder / "outer")
    paths = [str(folder / "outer" / "inner" / "x"), str(folder / "outer" / "x")]
    assert stateless.call(write, paths) == [DONE, DONE]
    assert (folder / "outer" / "inner" / "x").is_dir()
    assert (folder / "outer" / "x").is_dir()


def test_a_file_as_service_path_makes_its_folder_writable(
    stateless: Stateless, folder: Path
) -> None:
    (folder / "db.sqlite3").touch()
    stateless.service_path(folder / "db.sqlite3")
    assert stateless.call(write, [str(folder / "db.sqlite3-journal")]) == [DONE]


@pytest.mark.parametrize("name", ("with space", "back\\slash", "tab\tand\nline", "ünïcödé"))
def test_a_service_path_may_have_any_name(stateless: Stateless, folder: Path, name: str) -> None:
    (folder / name).mkdir()
    stateless.service_path(folder / name)
    assert stateless.call(write, [str(folder / name / "x")]) == [DONE]


def test_a_service_path_by_a_symbolic_link_is_the_folder_that_it_leads_to(
    stateless: Stateless, folder: Path
) -> None:
    (folder / "real").mkdir()
    (folder / "link").symlink_to("real")
    stateless.service_path(folder / "link")
    assert stateless.call(write, [str(folder / "link" / "x")]) == [DONE]
    assert (folder / "real" / "x").is_dir()


def test_a_service_path_of_one_test_is_read_only_in_the_next(sealed: Sealed, folder: Path) -> None:
    sealed.stateless.service_path(folder)
    assert sealed.stateless.call(write, [str(folder / "x")]) == [DONE]
    sealed.platform.configure(sealed.platform.settings)
    assert sealed.stateless.call(write, [str(folder / "y")]) == ["EROFS"]


@pytest.mark.parametrize("path", ("/", "/tmp", "/proc", "/sys/kernel", "/dev"))
def test_a_folder_that_would_undo_the_seal_is_refused(stateless: Stateless, path: str) -> None:
    stateless.service_path(path)
    with pytest.raises(SandboxSetupError):
        stateless.call(os.getpid)


def test_a_service_path_that_is_gone_fails_with_operation_call_and_error_number(
    stateless: Stateless, folder: Path, isolation: IsolationName
) -> None:
    (folder / "service").mkdir()
    stateless.service_path(folder / "service")
    (folder / "service").rmdir()
    with pytest.raises(SandboxSetupError) as caught:
        stateless.call(os.getpid)
    error, path = caught.value, str(folder / "service")
    expected = {
        "namespace": (f"hold (path={path!r})", "open_tree"),
        "landlock": ("restrict writes (folders=", f"open {path!r}"),
        "fake": ("detour python (private=", f"open {path!r}"),
    }
    operation, syscall = expected[isolation]
    assert error.operation.startswith(operation)
    assert path in error.operation
    assert (error.syscall, error.errno) == (syscall, 2)
    assert str(error).endswith("failed: [ENOENT] No such file or directory")
