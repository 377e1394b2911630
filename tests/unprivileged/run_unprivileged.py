"""Runs a command as an unprivileged user, wherever the interpreter and the project live.

    python run_unprivileged.py [--expose PATH]... -- COMMAND [ARGUMENT]...

What is tested for unprivileged users must be tested as one, and the suite often runs as root in a
container, with its interpreter and its project in folders that nobody else may enter (`/root`,
mode 700; a clone made by `mktemp -d`). Changing their modes would change the machine. So a mount
namespace of our own shows the same files at the same paths beneath folders that everybody may
enter:

1. `unshare` the mount namespace and make its propagation private;
2. hold an `O_PATH` descriptor on each needed folder: the interpreter's prefixes, what is on
   `sys.path`, the project, the working directory and what `--expose` names;
3. cover each closed ancestor with an empty tmpfs that everybody may enter; `/tmp` too, so that
   nothing is left there, and one more folder for HOME;
4. recreate the mount points on the covers and bind what the descriptors hold;
5. drop groups, user and every capability, and exec the command.

`no_new_privs` stays unset, as it is for an ordinary user. The namespace, and with it every mount,
goes when the command and its children have ended. Started by an ordinary user, the command is
simply executed. A refusal of the machine exits with status 125 and says which call was refused.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import shutil
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

NOBODY = 65534
REFUSED_STATUS = 125
HOME_COVER = Path("/mnt")
TMP_COVER = Path("/tmp")

CLONE_NEWNS = 0x00020000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MS_NOSUID, MS_NODEV = 2, 4
PR_CAPBSET_DROP = 24
LAST_CAPABILITY = Path("/proc/sys/kernel/cap_last_cap")
LINUX_CAPABILITY_VERSION_3 = 0x20080522

libc = ctypes.CDLL(None, use_errno=True)


def call(what: str, result: int) -> None:
    """Raise what libc left in errno if `result` says that the call `what` failed."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def mount(source: str, target: Path, kind: str, flags: int, *, data: str = "") -> None:
    result = libc.mount(
        source.encode(), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), data.encode()
    )
    call(f"mount {source} on {target}", result)


def is_open(status: os.stat_result) -> bool:
    """Tell whether everybody may read it, and enter it if it is a folder."""
    wanted = 0o005 if stat.S_ISDIR(status.st_mode) else 0o004
    return status.st_mode & wanted == wanted


def closed_folder(path: Path) -> Path | None:
    """The topmost folder on the way to `path`, itself included, that others may not enter."""
    for ancestor in (*reversed(path.parents), path):
        status = ancestor.stat()
        may_enter = status.st_mode & 0o001
        if not may_enter or (ancestor == path and not is_open(status)):
            return ancestor
    return None


def topmost(paths: Iterable[Path]) -> list[Path]:
    """The paths that lie beneath no other of them."""
    found: list[Path] = []
    for path in sorted(set(paths)):
        if not any(path.is_relative_to(other) for other in found):
            found.append(path)
    return found


def symlinks(path: Path) -> Iterator[Path]:
    """Every symbolic link that is met on the way to `path`, by its path without links."""
    for position in range(1, len(path.parts)):
        step = Path(*path.parts[:position]).resolve() / path.parts[position]
        if step.is_symlink():
            yield step
            yield from symlinks(step.parent / step.readlink())


class Exposure:
    """The needed folders, and the covers beneath which they appear again.

    Attributes:
        needed: Real paths, none beneath another.
        links: Symbolic links on the way to what is needed, and where they point.
        covers: Folders to hide under a tmpfs, none beneath another.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        named = [Path(path).absolute() for path in paths if path and Path(path).exists()]
        # An empty /tmp is the point of its cover: as a working directory it needs no contents.
        named = [path for path in named if path.resolve() not in {TMP_COVER, HOME_COVER}]
        closed = (closed_folder(path.resolve()) for path in named)
        covers = [TMP_COVER, HOME_COVER, *(folder for folder in closed if folder)]
        self.covers = topmost(covers)
        self.needed = topmost(path.resolve() for path in named if self._is_covered(path.resolve()))
        self.links = {
            link: link.readlink()
            for path in named
            for link in symlinks(path)
            if self._is_covered(link)
        }
        self._held = {path: os.open(path, os.O_PATH) for path in self.needed}

    def _is_covered(self, path: Path) -> bool:
        return any(path.is_relative_to(cover) for cover in self.covers)

    def mount(self) -> None:
        for cover in self.covers:
            mode = "1777" if cover == TMP_COVER else "755"
            mount("tmpfs", cover, "tmpfs", MS_NOSUID | MS_NODEV, data=f"mode={mode}")
        for path, descriptor in self._held.items():
            show(Path(f"/proc/self/fd/{descriptor}"), path)
            os.close(descriptor)
        for link, destination in self.links.items():
            if not link.is_symlink():
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(destination)


def show(source: Path, target: Path) -> None:
    """Make `source` appear at `target`, readable by everybody.

    What is open already is bound. A closed folder is rebuilt from its children, since a bind mount
    carries the mode along; a closed file is copied.
    """
    status = source.stat()
    if stat.S_ISDIR(status.st_mode):
        target.mkdir(parents=True, exist_ok=True)
        if is_open(status):
            mount(str(source), target, "", MS_BIND | MS_REC)
            return
        for child in source.iterdir():
            if child.is_symlink():
                (target / child.name).symlink_to(child.readlink())
            elif child.is_dir() or child.is_file():
                show(child, target / child.name)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755 if status.st_mode & stat.S_IXUSR else 0o644)


def make_home() -> Path:
    home = HOME_COVER / "home"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    home.chmod(0o700)
    return home


def drop_privileges() -> None:
    """Become `nobody`, without groups and with every capability set empty."""
    for capability in range(int(LAST_CAPABILITY.read_text(encoding="ascii")) + 1):
        call("drop from the bounding set", libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0))
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    header = (ctypes.c_uint32 * 2)(LINUX_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    call("capset", libc.capset(header, nothing))


def needed_folders(extra: Sequence[str]) -> list[str]:
    project = Path(__file__).resolve().parents[2]
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    return [*prefixes, *sys.path, str(project), str(Path.cwd()), *extra]


def environment(home: Path) -> dict[str, str]:
    """The environment of the command: the same, but for what names another user's folders."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("XDG_", "SUDO_")) and name not in {"TMPDIR", "TMP", "TEMP", "MAIL"}
    }
    return kept | {
        "HOME": str(home),
        "USER": "nobody",
        "LOGNAME": "nobody",
        # The project's folder belongs to someone else.
        "HYPOTHESIS_STORAGE_DIRECTORY": str(home / "hypothesis"),
    }


def become_unprivileged(expose: Sequence[str]) -> dict[str, str]:
    """Turn this process into one of an ordinary user.

    Args:
        expose: Further folders that the command reads.

    Returns:
        The environment for the command.

    Raises:
        OSError: A system call was refused; its name is the error's file name.
    """
    os.umask(0o022)
    working_directory = Path.cwd()
    call("unshare the mount namespace", libc.unshare(CLONE_NEWNS))
    mount("", Path("/"), "", MS_REC | MS_PRIVATE)
    Exposure(needed_folders(expose)).mount()
    home = make_home()
    drop_privileges()
    os.chdir(working_directory)
    return environment(home)


def run(command: Sequence[str], expose: Sequence[str] = ()) -> NoReturn:
    """Execute `command` in the place of this process, as an unprivileged user."""
    variables = dict(os.environ)
    if os.geteuid() == 0:
        try:
            variables = become_unprivileged(expose)
        except OSError as error:
            print(f"cannot become unprivileged: {error}", file=sys.stderr)  # noqa: T201 - a script
            sys.exit(REFUSED_STATUS)
    os.execvpe(command[0], list(command), variables)  # noqa: S606 - the command is the argument


def main() -> NoReturn:
    parser = argparse.ArgumentParser(description="Run a command as an unprivileged user.")
    parser.add_argument("--expose", action="append", default=[], metavar="PATH")
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    run(arguments.command, arguments.expose)


if __name__ == "__main__":
    main()
