"""Runs an app under an observer in a sealed child: everything read-only but a small `/tmp`.

Where writes are discarded, the project is seen through an overlay whose upper layer is as small.

Called with a JSON specification; prints what was observed as JSON on its last line.
"""

from __future__ import annotations

import ctypes
import dataclasses
import importlib
import json
import os
import pathlib
import struct
import sys
import traceback

NEW_MOUNTS, NEW_USER = 0x20000, 0x10000000
BIND, RECURSIVE, PRIVATE = 4096, 0x4000, 1 << 18
AT_RECURSIVE, READ_ONLY, MOUNT_SETATTR = 0x8000, 1, 442
TMP_OPTIONS = b"size=256k,mode=1777"
LIBC = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def mount(  # noqa: PLR0917 (mount(2) has five arguments)
    source: str, target: str, kind: str, flags: int, options: bytes | None = None
) -> None:
    options = TMP_OPTIONS if kind == "tmpfs" else options
    done = LIBC.mount(source.encode(), target.encode(), kind.encode(), flags, options)
    check(done, f"mount {target}")


def make_read_only(path: str, flags: int = 0) -> None:
    attributes = struct.pack("QQQQ", READ_ONLY, 0, 0, 0)
    check(LIBC.syscall(MOUNT_SETATTR, -100, path.encode(), flags, attributes, 32), "mount_setattr")


def discard(project: str) -> None:
    """Cover the project with an overlay, as an instance's own disk does."""
    disk = pathlib.Path("/dev/shm")
    mount("tmpfs", str(disk), "tmpfs", 0)
    for name in ("upper", "work"):
        (disk / name).mkdir()
    marks = "userxattr," if os.getuid() else ""
    layers = f"{marks}lowerdir={project},upperdir={disk}/upper,workdir={disk}/work"
    mount("stateless-disk", project, "overlay", 0, layers.encode())
    os.chdir(project)


def seal(project: str) -> None:
    uid, gid = os.getuid(), os.getgid()
    check(LIBC.unshare(NEW_MOUNTS | (NEW_USER if uid else 0)), "unshare")
    if uid:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1")):
            with pathlib.Path(f"/proc/self/{name}").open("w") as file:
                file.write(text)
        with pathlib.Path("/proc/self/gid_map").open("w") as file:
            file.write(f"{gid} {gid} 1")
    folder = os.open(project, os.O_PATH)
    mount("", "/", "", RECURSIVE | PRIVATE)
    make_read_only("/", AT_RECURSIVE)
    mount("tmpfs", "/tmp", "tmpfs", 0)
    pathlib.Path(project).mkdir(exist_ok=True, parents=True)
    mount(f"/proc/self/fd/{folder}", project, "", BIND | RECURSIVE)
    make_read_only(project)
    os.close(folder)
    os.chdir(project)


def run(specification: dict[str, object]) -> list[object]:
    from pytest_stateless.guest.observe.observer import Observer
    from pytest_stateless.guest.stack import StackReader
    from pytest_stateless.model.first_party import FirstParty

    project = str(specification["project"])
    if specification["is_sealed"]:
        seal(project)
    else:
        os.chdir(project)
    if specification["has_disk"]:
        discard(project)
    sys.path[:0] = [project, f"{project}/lib/site-packages"]
    reader = StackReader(FirstParty(roots=(project,)))
    observer = Observer(reader, has_disk=bool(specification["has_disk"]))
    observer.install()
    observer.begin("start")
    app = importlib.import_module("app")
    found: list[object] = []
    for _ in range(int(str(specification["requests"]))):
        observer.begin("request")
        try:
            app.main()
        except Exception as error:  # noqa: BLE001 (an app may raise anything)
            traceback.print_exc()
            observer.note_exception(error)
        found.append(dataclasses.asdict(observer.finish()))
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(json.loads(sys.argv[1]))) + "\n")
    sys.stdout.flush()
    os._exit(0)
