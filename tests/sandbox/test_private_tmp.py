"""That `/tmp` is a folder like any other, also where Python code is only led to one."""

# What `os` does is what is tested, so it is not done with pathlib.
# ruff: noqa: PTH102, PTH103, PTH104, PTH105, PTH109, PTH112, PTH113, PTH114, PTH115, PTH116
# ruff: noqa: PTH121, PTH207, PTH208, PTH211
from __future__ import annotations

import contextlib
import glob
import importlib.util
import mmap
import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attacks import outcome_of
from each_isolation import settings_of, under_each_isolation

if TYPE_CHECKING:
    from collections.abc import Callable

    from sealed_instances import Sealed

    from pytest_stateless.model.isolation import IsolationName
    from pytest_stateless.session.stateless import Stateless

pytest_plugins = ("sealed_instances",)
pytestmark = under_each_isolation


def write_in_every_way(folder: str) -> int:
    os.makedirs(f"{folder}/a/b")
    first = f"{folder}/a/first"
    with Path(first).open("w", encoding="utf-8") as file:
        file.write("tea\n")
    os.symlink("first", f"{folder}/a/relative")
    os.symlink(first, f"{folder}/a/absolute")
    os.link(first, f"{folder}/a/twin")
    shutil.copyfile(first, f"{folder}/a/copy")
    shutil.copytree(f"{folder}/a", f"{folder}/c", symlinks=True)
    os.truncate(f"{folder}/a/copy", 1)
    with Path(f"{folder}/a/copy").open("rb+", buffering=0) as raw:
        raw.seek(0, os.SEEK_END)
        raw.write(b"x")
    descriptor = os.open(f"{folder}/a/low", os.O_CREAT | os.O_RDWR | os.O_APPEND)
    os.writev(descriptor, [b"a", b"b"])
    os.write(os.dup(descriptor), b"c")
    os.pwrite(descriptor, b"d", 0)
    with os.fdopen(descriptor, "ab") as low:
        low.write(b"e")
    below = os.open(f"{folder}/a", os.O_RDONLY | os.O_DIRECTORY)
    with os.fdopen(os.open("below", os.O_CREAT | os.O_WRONLY, dir_fd=below), "wb") as under:
        under.write(b"f")
    with zipfile.ZipFile(f"{folder}/a/zip", "w") as archive:
        archive.writestr("member", "tea")
    with tempfile.TemporaryFile(dir=folder) as unnamed:
        unnamed.write(b"g" * 100_000)
        unnamed.seek(0)
        return len(unnamed.read())


def map_into_memory(path: str) -> None:
    with Path(path).open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        memory[0:1] = b"X"


def look_in_every_way(folder: str) -> list[object]:
    with os.scandir(f"{folder}/a") as entries:
        paths = sorted(entry.path for entry in entries if entry.is_file(follow_symlinks=False))
    below = os.open(f"{folder}/a", os.O_RDONLY | os.O_DIRECTORY)
    os.chdir(f"{folder}/a")
    return [
        os.getcwd(),
        sorted(os.listdir()),
        sorted(str(path) for path in Path().glob("*/../f*")),
        sorted(str(path) for path in Path(folder).rglob("f*")),
        sorted(glob.glob(f"{folder}/*/low")),
        paths,
        [Path(name).read_text(encoding="utf-8") for name in ("relative", "absolute", "twin")],
        os.readlink("absolute"),
        os.path.realpath("absolute"),
        str(Path("../a/./absolute").resolve()),
        [Path(name).read_bytes() for name in ("copy", "low", "below")],
        zipfile.ZipFile("zip").read("member"),
        sorted((root, sorted(names)) for root, _, names in os.walk(folder)),
        os.stat("first").st_nlink,
        os.stat(below).st_ino == os.stat(".").st_ino,
        os.path.samefile("relative", f"{folder}/a/first"),
        [os.path.isdir(f"{folder}/a"), os.path.isfile("absolute"), os.path.islink("absolute")],
    ]


def change_in_every_way(folder: str) -> list[object]:
    seen: list[object] = [
        outcome_of(os.mkdir, f"{folder}/a"),
        outcome_of(os.rmdir, f"{folder}/a"),
        outcome_of(os.open, f"{folder}/none", os.O_RDONLY),
        outcome_of(os.rename, f"{folder}/none", f"{folder}/other"),
        outcome_of(os.rename, f"{folder}/c/first", f"{folder}/a/moved"),
        outcome_of(os.unlink, f"{folder}/a/absolute"),
        outcome_of(os.chmod, f"{folder}/a/first", 0o600),
        outcome_of(os.utime, f"{folder}/a/first", (1, 1)),
        oct(os.stat(f"{folder}/a/first").st_mode),
        os.stat(f"{folder}/a/first").st_mtime,
        shutil.move(f"{folder}/a/low", f"{folder}/c"),
    ]
    os.chdir("/")
    shutil.rmtree(f"{folder}/a")
    return [*seen, sorted(os.listdir(folder)), sorted(os.listdir(os.fsencode(folder)))]


def use_every_function(folder: str) -> list[object]:
    """Do in a folder all that can be done to files, and say what came of it."""
    size = write_in_every_way(folder)
    map_into_memory(f"{folder}/a/low")
    return [size, *look_in_every_way(folder), *change_in_every_way(folder)]


def test_every_function_does_in_tmp_what_it_does_elsewhere(
    stateless: Stateless, tmp_path: Path
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    here = os.getcwd()
    try:
        expected = use_every_function(str(folder))
    finally:
        os.chdir(here)
    found = stateless.call(use_every_function, "/tmp/x")
    assert repr(found) == repr(expected).replace(str(folder), "/tmp/x")


def name_what_is_missing() -> list[str]:
    """Fail in many ways, and say how the errors read."""
    any_open: Any = open
    ways: list[Callable[[], object]] = [
        lambda: any_open("/tmp/none/file", "w"),
        lambda: any_open("/tmp/none"),
        lambda: any_open(b"/tmp/none"),
        lambda: any_open("/tmp", "w"),
        lambda: any_open("/tmp/x", "wz"),
        lambda: any_open("/tmp/x", "wb", encoding="utf-8"),
        lambda: any_open("/tmp/x", "w", buffering=0),
        lambda: any_open(""),
        lambda: any_open("/tmp/\0"),
        lambda: os.stat("/tmp/none"),
        lambda: os.mkdir("/tmp"),
        lambda: Path("/tmp").mkdir(),
        lambda: os.listdir("/tmp/none"),
        lambda: os.scandir(b"/tmp/none"),
        lambda: os.rename("/tmp/none", "/tmp/other"),
        lambda: os.symlink("anything", "/tmp/none/link"),
        lambda: os.chdir("/tmp/none"),
        lambda: Path("/tmp/none").unlink(),
        lambda: shutil.move("/tmp/none", "/tmp/other"),
        lambda: os.rename(__file__, "/tmp/other"),
        lambda: os.link(__file__, "/tmp/other"),
        lambda: os.replace("/tmp/none", __file__),
        lambda: os.stat(None),  # type: ignore[arg-type]
    ]
    said: list[str] = []
    for way in ways:
        try:
            way()
            said.append("done")
        except (OSError, ValueError, TypeError) as error:
            said.append(f"{type(error).__name__}: {error}")
    return said


@pytest.fixture(scope="module")
def words(sealed_session: Sealed) -> list[str]:
    """What the errors of a `/tmp` say that the kernel has mounted."""
    sealed_session.platform.configure(settings_of("namespace"))
    return sealed_session.stateless.call(name_what_is_missing)


def test_errors_in_tmp_read_as_they_do_on_the_platform(
    sealed: Sealed, isolation: IsolationName, words: list[str]
) -> None:
    sealed.platform.configure(settings_of(isolation))
    assert sealed.stateless.call(name_what_is_missing) == words
    assert "done" not in words


def import_what_is_unpacked() -> list[object]:
    sys.path[:0] = ["/tmp/later", "/tmp/unpacked", "/tmp/archive.zip"]
    with contextlib.suppress(ImportError):
        importlib.import_module("unpacked_later")
    for folder, name in (("unpacked/package", "__init__"), ("later", "unpacked_later")):
        os.makedirs(f"/tmp/{folder}")
        Path(f"/tmp/{folder}/{name}.py").write_text("price = 7", encoding="utf-8")
    Path("/tmp/unpacked/package/part.py").write_text("price = 8", encoding="utf-8")
    with zipfile.ZipFile("/tmp/archive.zip", "w") as archive:
        archive.writestr("zipped.py", "price = 9")
    importlib.invalidate_caches()
    names = ("unpacked_later", "package", "package.part", "zipped")
    return [importlib.import_module(name).price for name in names]


def test_what_an_app_has_unpacked_there_can_be_imported(stateless: Stateless) -> None:
    for _ in range(2):
        assert stateless.call(import_what_is_unpacked) == [7, 7, 8, 9]
    assert importlib.util.find_spec("unpacked_later") is None
