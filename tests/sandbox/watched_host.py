"""A piece of the host that must stay as it is."""

# What `os` does is what is tested, so it is not done with pathlib.
# ruff: noqa: PTH109, PTH111, PTH118
from __future__ import annotations

import os
import uuid
from pathlib import Path

from attacks import Scene, furnish

PROJECT = Path(__file__).resolve().parents[2]


class Host:
    """A folder of the host that must stay as it is, and a name that must appear nowhere."""

    def __init__(self, folder: Path) -> None:
        self.marker = f"escaped-{uuid.uuid4().hex}"
        self.folder = folder
        furnish(folder)
        self.scene = Scene(str(folder), self.marker)
        self._before = self._look()

    def changes(self) -> list[str]:
        """Name what is not as it was."""
        now = self._look()
        changed = {*now.items()} ^ {*self._before.items()}
        return sorted({name for name, _ in changed}) + self._found()

    def _look(self) -> dict[str, tuple[object, ...]]:
        """Read everything that a change would leave a trace in; ctime cannot be set back."""
        paths = [self.folder, *sorted(self.folder.rglob("*"))]
        return {str(path): (*_state(path), _content(path)) for path in paths}

    def _found(self) -> list[str]:
        """Look for the name where attacks would leave it."""
        places = [
            "/",
            "/tmp",
            "/var/tmp",
            "/dev/shm",
            "/dev/mqueue",
            os.path.expanduser("~"),
            os.getcwd(),
            str(PROJECT),
            str(self.folder.parent),
        ]
        paths = [os.path.join(place, self.marker) for place in places]
        return [path for path in paths if os.path.lexists(path)]


def _state(path: Path) -> tuple[object, ...]:
    status = path.lstat()
    return (
        status.st_ino,
        status.st_mode,
        status.st_nlink,
        status.st_uid,
        status.st_gid,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        tuple(os.listxattr(path, follow_symlinks=False)),
    )


def _content(path: Path) -> bytes:
    if path.is_symlink():
        return os.fsencode(path.readlink())
    return path.read_bytes() if path.is_file() else b""
