"""Attempts to change files of the host, each one a function that an instance runs.

An attack either does its work, which is an escape, or raises what the kernel answered. Every one
of them works where nothing is sealed; the tests prove that too. One that an isolation may let
through names the gap.
"""

# What `os` does is what is tested, so it is not done with pathlib.
# ruff: noqa: PTH101, PTH102, PTH104, PTH105, PTH106, PTH108, PTH118, PTH123, PTH211
from __future__ import annotations

import array
import ctypes
import errno
import fcntl
import io
import mmap
import os
import posix
import shutil
import socket
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LIBC = ctypes.CDLL(None, use_errno=True)

DONE = "done"
CONTENT = "content that shall stay\n"
FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, FS_NODUMP_FL = 0x80086601, 0x40086602, 0x40


@dataclass(frozen=True)
class Scene:
    """What is attacked.

    Attributes:
        folder: A folder of the host, with what `furnish` puts there.
        marker: A name that nothing else in the world has, for what an attack makes.
    """

    folder: str
    marker: str

    @property
    def file(self) -> str:
        return os.path.join(self.folder, "file")

    @property
    def new(self) -> str:
        return os.path.join(self.folder, self.marker)

    def path(self, name: str) -> str:
        return os.path.join(self.folder, name)


def furnish(folder: Path) -> None:
    """Put something of every kind into a folder."""
    (folder / "file").write_text(CONTENT, encoding="utf-8")
    (folder / "empty").mkdir()
    (folder / "full").mkdir()
    (folder / "full" / "child").write_text(CONTENT, encoding="utf-8")
    (folder / "link").symlink_to("file")
    (folder / "twin").hardlink_to(folder / "file")
    with sqlite3.connect(folder / "db.sqlite3") as connection:
        connection.execute("create table entry (text)")
    connection.close()
    os.setxattr(folder / "full" / "child", "user.note", b"note")


Attack = "Callable[[Scene], object]"
ATTACKS: dict[str, Callable[[Scene], object]] = {}
GAPS: dict[str, tuple[str, ...]] = {}


def attack(function: Callable[[Scene], object]) -> Callable[[Scene], object]:
    ATTACKS[function.__name__] = function
    return function


def through(*gaps: str) -> Callable[[Callable[[Scene], object]], Callable[[Scene], object]]:
    """Note the gaps by which an attack may get through, in isolations that have one of them."""

    def note(function: Callable[[Scene], object]) -> Callable[[Scene], object]:
        GAPS[function.__name__] = gaps
        return attack(function)

    return note


def outcome_of(work: Callable[..., object], *args: object) -> str:
    """Say what came of it: `done`, or the name of the error that the kernel gave."""
    try:
        work(*args)
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, repr(error))
    except sqlite3.Error as error:
        return error.sqlite_errorname
    return DONE


def attempt(name: str, scene: Scene) -> str:
    """Carry out one attack; this is what an instance is called with."""
    return outcome_of(ATTACKS[name], scene)


def attempt_each(scenes: dict[str, Scene]) -> dict[str, str]:
    """Carry out attacks, each in a process of its own: some change the working directory."""
    return {name: _attempt_in_a_fork(name, scene) for name, scene in scenes.items()}


def _attempt_in_a_fork(name: str, scene: Scene) -> str:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        said = "it crashed"
        try:
            said = attempt(name, scene)
        except BaseException as error:  # noqa: BLE001 (a fork must not return)
            said = repr(error)
        finally:
            os.write(writer, said.encode())
            os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    with open(reader, encoding="utf-8") as file:
        return file.read()


def check(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def run(*command: str, folder: str | None = None) -> None:
    """Run a program; its complaint about a refused write becomes that error."""
    ended = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "LC_ALL": "C"},
    )
    for number in (errno.EROFS, errno.EACCES):
        if ended.returncode and os.strerror(number) in ended.stderr:
            raise OSError(number, ended.stderr)
    assert ended.returncode == 0, ended.stderr


# what Python offers


@attack
def open_to_write(scene: Scene) -> None:
    with open(scene.file, "w", encoding="utf-8") as file:
        file.write("gone")


@attack
def open_to_append(scene: Scene) -> None:
    with open(scene.file, "a", encoding="utf-8") as file:
        file.write("more")


@attack
def open_to_update(scene: Scene) -> None:
    with open(scene.file, "r+", encoding="utf-8") as file:
        file.write("other")


@attack
def open_a_new_file(scene: Scene) -> None:
    with open(scene.new, "x", encoding="utf-8"):
        pass


@attack
def open_through_a_symbolic_link(scene: Scene) -> None:
    with open(scene.path("link"), "w", encoding="utf-8"):
        pass


@attack
def os_open_to_create(scene: Scene) -> None:
    os.close(os.open(scene.new, os.O_CREAT | os.O_WRONLY))


@attack
def os_open_to_truncate(scene: Scene) -> None:
    os.close(os.open(scene.file, os.O_RDONLY | os.O_TRUNC))


@attack
def os_open_without_a_name(scene: Scene) -> None:
    os.close(os.open(scene.folder, os.O_TMPFILE | os.O_RDWR))


@attack
def pathlib_write_text(scene: Scene) -> None:
    Path(scene.file).write_text("gone", encoding="utf-8")


@attack
def pathlib_touch(scene: Scene) -> None:
    Path(scene.file).touch()


@attack
def rename(scene: Scene) -> None:
    os.rename(scene.file, scene.new)


@attack
def replace_by_another(scene: Scene) -> None:
    os.replace(scene.file, scene.path("full/child"))


@attack
def rename_a_folder(scene: Scene) -> None:
    os.rename(scene.path("full"), scene.new)


@attack
def link(scene: Scene) -> None:
    os.link(scene.file, scene.new)


@attack
def symlink(scene: Scene) -> None:
    os.symlink("file", scene.new)


@attack
def unlink(scene: Scene) -> None:
    os.unlink(scene.file)


@attack
def truncate(scene: Scene) -> None:
    os.truncate(scene.file, 1)


@attack
def chmod(scene: Scene) -> None:
    os.chmod(scene.file, 0o600)


@attack
def chmod_of_a_descriptor(scene: Scene) -> None:
    with open(scene.file, encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)


@attack
def chmod_of_a_folder(scene: Scene) -> None:
    os.chmod(scene.folder, 0o500)


@attack
def utime(scene: Scene) -> None:
    os.utime(scene.file, (1, 1))


@attack
def utime_of_a_descriptor(scene: Scene) -> None:
    with open(scene.file, encoding="utf-8") as file:
        os.utime(file.fileno(), (1, 1))


@attack
def chown(scene: Scene) -> None:
    os.chown(scene.file, os.getuid(), os.getgid())


@attack
def chown_of_a_link(scene: Scene) -> None:
    os.lchown(scene.path("link"), os.getuid(), os.getgid())


@attack
def mkdir(scene: Scene) -> None:
    os.mkdir(scene.new)


@attack
def rmdir(scene: Scene) -> None:
    os.rmdir(scene.path("empty"))


@attack
def rmtree(scene: Scene) -> None:
    shutil.rmtree(scene.path("full"))


@attack
def mkfifo(scene: Scene) -> None:
    os.mkfifo(scene.new)


@attack
def mknod_of_a_file(scene: Scene) -> None:
    os.mknod(scene.new, 0o644)


@attack
def set_an_extended_attribute(scene: Scene) -> None:
    os.setxattr(scene.file, "user.note", b"x")


@attack
def remove_an_extended_attribute(scene: Scene) -> None:
    os.removexattr(scene.path("full/child"), "user.note")


@attack
def set_an_inode_flag(scene: Scene) -> None:
    with open(scene.file, encoding="utf-8") as file:
        flags = array.array("i", [0])
        fcntl.ioctl(file, FS_IOC_GETFLAGS, flags)
        flags[0] |= FS_NODUMP_FL
        fcntl.ioctl(file, FS_IOC_SETFLAGS, flags)


@attack
def bind_a_unix_socket(scene: Scene) -> None:
    os.chdir(scene.folder)  # the address of a socket may have 107 bytes only
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(scene.marker)


@attack
def sqlite_insert(scene: Scene) -> None:
    connection = sqlite3.connect(scene.path("db.sqlite3"))
    try:
        with connection:
            connection.execute("insert into entry values ('more')")
    finally:
        connection.close()


@attack
def sqlite_create(scene: Scene) -> None:
    connection = sqlite3.connect(scene.new)
    try:
        connection.execute("create table entry (text)")
    finally:
        connection.close()


@attack
def map_shared_and_writable(scene: Scene) -> None:
    with open(scene.file, "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        memory[0:1] = b"X"


# what passes Python by


@through("programs")
def shell_redirect(scene: Scene) -> None:
    run("sh", "-c", 'echo more >>"$0"', scene.file)


@through("programs")
def shell_redirect_to_a_new_file(scene: Scene) -> None:
    run("sh", "-c", 'echo more >"$0"', scene.new)


@through("programs")
def remove_with_a_program(scene: Scene) -> None:
    run("rm", "-f", "--", scene.file)


@through("programs")
def another_interpreter(scene: Scene) -> None:
    run(sys.executable, "-S", "-c", f"import os; os.mkdir({scene.new!r})")


@through("programs")
def spawn_with_a_file_action(scene: Scene) -> None:
    action = (os.POSIX_SPAWN_OPEN, 1, scene.new, os.O_CREAT | os.O_WRONLY, 0o644)
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", "echo x"], os.environ, file_actions=[action])
    _, status = os.waitpid(pid, 0)
    if status:  # some libcs report the error of an action as exit status 127 only
        raise OSError(errno.EROFS, "posix_spawn")


@through("c-code")
def libc_open(scene: Scene) -> None:
    os.close(check(LIBC.open(os.fsencode(scene.file), os.O_WRONLY | os.O_TRUNC)))


@through("c-code")
def libc_creat(scene: Scene) -> None:
    os.close(check(LIBC.creat(os.fsencode(scene.new), 0o644)))


@through("c-code")
def libc_unlink(scene: Scene) -> None:
    check(LIBC.unlink(os.fsencode(scene.file)))


@through("c-code")
def libc_rename(scene: Scene) -> None:
    check(LIBC.rename(os.fsencode(scene.file), os.fsencode(scene.new)))


@through("attributes", "programs")
def chmod_by_a_program(scene: Scene) -> None:
    run("chmod", "600", scene.file)


@through("attributes", "programs")
def touch_by_a_program(scene: Scene) -> None:
    run("touch", "-d", "@1", scene.file)


@through("attributes", "c-code")
def libc_chmod(scene: Scene) -> None:
    check(LIBC.chmod(os.fsencode(scene.file), 0o600))


@through("attributes", "c-code")
def libc_chown(scene: Scene) -> None:
    check(LIBC.chown(os.fsencode(scene.file), os.getuid(), os.getgid()))


@through("attributes", "c-code")
def libc_utimes(scene: Scene) -> None:
    check(LIBC.utimes(os.fsencode(scene.file), None))


@through("attributes", "c-code")
def libc_setxattr(scene: Scene) -> None:
    check(LIBC.setxattr(os.fsencode(scene.file), b"user.note", b"x", ctypes.c_size_t(1), 0))


@through("c-code")
def sqlite_attach(scene: Scene) -> None:
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("attach database ? as other", (scene.new,))
        connection.execute("create table other.entry (text)")
    finally:
        connection.close()


# other ways to the same file


@attack
def a_raw_file(scene: Scene) -> None:
    io.FileIO(scene.new, "x").close()


@attack
def a_raw_descriptor(scene: Scene) -> None:
    os.close(posix.open(scene.new, os.O_CREAT | os.O_WRONLY))


@attack
def a_raw_descriptor_below_a_directory_descriptor(scene: Scene) -> None:
    folder = os.open(scene.folder, os.O_RDONLY | os.O_DIRECTORY)
    os.close(posix.open(scene.marker, os.O_CREAT | os.O_WRONLY, dir_fd=folder))


@attack
def an_opener(scene: Scene) -> None:
    def opener(_: str, flags: int) -> int:
        return os.open(scene.new, flags | os.O_CREAT)

    with open("/tmp/x", "w", encoding="utf-8", opener=opener):
        pass


@attack
def rename_below_directory_descriptors(scene: Scene) -> None:
    folder = os.open(scene.folder, os.O_RDONLY | os.O_DIRECTORY)
    os.rename("file", scene.marker, src_dir_fd=folder, dst_dir_fd=folder)


@attack
def directory_descriptor(scene: Scene) -> None:
    folder = os.open(scene.folder, os.O_RDONLY | os.O_DIRECTORY)
    os.close(os.open("file", os.O_WRONLY | os.O_TRUNC, dir_fd=folder))


@attack
def directory_descriptor_of_the_root(scene: Scene) -> None:
    folder = os.open("/", os.O_PATH | os.O_DIRECTORY)
    os.close(os.open(scene.file.lstrip("/"), os.O_WRONLY | os.O_TRUNC, dir_fd=folder))


@attack
def working_directory_by_descriptor(scene: Scene) -> None:
    os.fchdir(os.open(scene.folder, os.O_RDONLY | os.O_DIRECTORY))
    os.mkdir(scene.marker)


@attack
def up_from_tmp(scene: Scene) -> None:
    os.chdir("/tmp")
    Path("../" + scene.file).write_text("gone", encoding="utf-8")


@attack
def a_descriptor_opened_again(scene: Scene) -> None:
    with open(scene.file, encoding="utf-8") as file:
        os.close(os.open(f"/proc/self/fd/{file.fileno()}", os.O_WRONLY | os.O_TRUNC))


@attack
def proc_self_root(scene: Scene) -> None:
    os.mkdir("/proc/self/root" + scene.new)


@attack
def proc_thread_root(scene: Scene) -> None:
    os.mkdir("/proc/thread-self/root" + scene.new)


@attack
def proc_self_cwd(scene: Scene) -> None:
    os.chdir(scene.folder)
    os.mkdir("/proc/self/cwd/" + scene.marker)


@attack
def link_into_tmp_and_write_there(scene: Scene) -> None:
    os.symlink(scene.file, f"/tmp/{scene.marker}")
    try:
        Path(f"/tmp/{scene.marker}").write_text("gone", encoding="utf-8")
    finally:
        os.unlink(f"/tmp/{scene.marker}")


@attack
def link_into_tmp_to_the_folder_above(scene: Scene) -> None:
    os.symlink(scene.folder, f"/tmp/{scene.marker}-folder")
    try:
        os.mkdir(f"/tmp/{scene.marker}-folder/empty/../{scene.marker}")
    finally:
        os.unlink(f"/tmp/{scene.marker}-folder")


@attack
def move_out_of_tmp(scene: Scene) -> None:
    Path(f"/tmp/{scene.marker}").touch()
    try:
        shutil.move(f"/tmp/{scene.marker}", scene.new)
    finally:
        Path(f"/tmp/{scene.marker}").unlink(missing_ok=True)
