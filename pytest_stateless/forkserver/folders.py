"""Folders that stand for an instance's `/tmp` where it cannot mount one: made, and removed again.

What an app has closed (a folder without permissions) is opened, and links are never followed.
"""

from __future__ import annotations

import contextlib
import os
import tempfile

_PREFIX = "pytest-stateless-"
_MODE_OF_TMP = 0o1777


def make_base() -> str:
    """Make a folder for the folders of a zygote's instances.

    Returns:
        Its path, absolute and without links.
    """
    return os.path.realpath(tempfile.mkdtemp(prefix=_PREFIX))


def make(base: str, name: str) -> str:
    """Make an empty folder that has the mode of `/tmp`.

    Args:
        base: Where.
        name: Its name there.

    Returns:
        Its path.
    """
    path = os.path.join(base, name)
    os.mkdir(path)
    os.chmod(path, _MODE_OF_TMP)
    return path


def remove(path: str) -> None:
    """Remove a folder with all that it contains; nothing happens for an empty path.

    Args:
        path: The folder.
    """
    if path:
        with contextlib.suppress(OSError):  # of what cannot be removed, as much as can
            _remove(path)


def _remove(path: str) -> None:
    try:
        _empty(path)
    except PermissionError:
        os.chmod(path, 0o700)
        _empty(path)
    os.rmdir(path)


def _empty(path: str) -> None:
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _remove(entry.path)
            else:
                os.unlink(entry.path)
