from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_stateless.guest.sandbox.detour.view import View


@pytest.fixture
def private(tmp_path: Path) -> str:
    """What stands for `/tmp`, with links of every kind in it."""
    folder = tmp_path.resolve() / "private"
    (folder / "folder").mkdir(parents=True)
    (folder / "file").touch()
    (folder / "relative").symlink_to("file")
    (folder / "absolute").symlink_to(folder / "file")
    (folder / "up").symlink_to("folder/../file")
    (folder / "out").symlink_to("/etc")
    (folder / "above").symlink_to("../..")
    (folder / "circle").symlink_to("circle")
    return str(folder)


@pytest.fixture
def view(private: str, tmp_path: Path) -> View:
    return View(private, islands=(str(tmp_path / "island"), "/srv/elsewhere"))


@pytest.mark.parametrize(
    ("path", "canonical"),
    (
        ("/tmp", "/tmp"),
        ("/tmp/", "/tmp"),
        ("//tmp//x/./y/", "/tmp/x/y"),
        ("/tmp/../etc/passwd", "/etc/passwd"),
        ("/tmp/folder/../file", "/tmp/file"),
        ("/tmp/relative", "/tmp/file"),
        ("/tmp/absolute", "/tmp/file"),
        ("/tmp/up", "/tmp/file"),
        ("/tmp/out/passwd", "/etc/passwd"),
        ("/tmp/out/../x", "/x"),
        ("/tmp/above/etc", "/etc"),
        ("/proc/self/root/tmp/file", "/tmp/file"),
        ("/tmpfile", "/tmpfile"),
        ("/", "/"),
    ),
)
def test_a_path_is_followed_as_the_kernel_would_if_tmp_were_mounted(
    view: View, path: str, canonical: str
) -> None:
    assert view.canonical(path) == canonical


def test_the_last_link_is_left_where_the_call_takes_it_as_it_is(view: View) -> None:
    assert view.canonical("/tmp/relative", follows=False) == "/tmp/relative"
    assert view.canonical("/tmp/out/none", follows=False) == "/etc/none"


def test_the_private_folder_is_tmp_by_its_own_name_too(view: View, private: str) -> None:
    assert view.canonical(private) == "/tmp"
    assert view.canonical(f"{private}/folder/x") == "/tmp/folder/x"
    assert view.shown(f"{private}/x") == "/tmp/x"
    assert view.shown(f"{private}-2/x") == f"{private}-2/x"
    assert view.located("/tmp/x") == f"{private}/x"
    assert view.located("/etc/x") == "/etc/x"


def test_a_relative_path_starts_from_the_working_directory(
    view: View, private: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(f"{private}/folder")
    assert view.working_directory() == "/tmp/folder"
    assert view.canonical("../file") == "/tmp/file"
    assert view.canonical("../../etc") == "/etc"
    assert view.canonical(".") == "/tmp/folder"


def test_an_island_is_what_it_is_and_its_ancestors_are_not(view: View, tmp_path: Path) -> None:
    if not str(tmp_path).startswith("/tmp/"):
        pytest.skip("the suite's temporary folders are elsewhere")
    island = str(tmp_path / "island")
    assert not view.is_tmp(island)
    assert not view.is_tmp(f"{island}/x")
    assert view.is_tmp(f"{island}-2")
    assert view.is_tmp(str(tmp_path))


def test_a_circle_of_links_is_an_error(view: View) -> None:
    with pytest.raises(OSError, match="symbolic links"):
        view.canonical("/tmp/circle/x")


def test_a_view_of_nobody_s_own_is_the_kernel_s(private: str) -> None:
    kernel = View()
    for name in ("file", "relative", "absolute", "up", "above", "folder/.."):
        path = f"{private}/{name}"
        assert kernel.canonical(path) == os.path.realpath(path)
    assert not kernel.is_tmp("/tmp/x")


def test_what_a_program_is_told_is_the_private_folder(view: View, private: str) -> None:
    assert view.outside_name("/tmp/in.png") == f"{private}/in.png"
    assert view.outside_name("/tmp") == private
    assert view.outside_name(f"{private}/in.png") == f"{private}/in.png"
    assert view.outside_name("/tmp/../etc") == "/tmp/../etc"
    assert view.outside_name("-o") == "-o"


def test_a_link_that_is_made_later_is_seen(view: View, private: str) -> None:
    assert view.canonical("/tmp/later/x") == "/tmp/later/x"
    Path(private, "later").symlink_to("/etc")
    assert view.canonical("/tmp/later/x") == "/etc/x"
