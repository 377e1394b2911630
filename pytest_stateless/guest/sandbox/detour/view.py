"""Where a path leads: for the kernel, and for an app that has a private folder as its `/tmp`.

Both answers are worked out in the same way: component by component, symbolic links followed, as
the kernel does it. They differ in one place. The app's `/tmp` is another folder of the host, so
what is at or below `/tmp` is looked up there; but for what has to stay visible, the *islands*,
such as a project that lives below `/tmp`.

A path that is absolute, without links and with the app's `/tmp` is called *canonical*. The
private folder has a name of its own as well (programs know it by that); its canonical name is
`/tmp`.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

from pytest_stateless.guest.sandbox.detour import real

if TYPE_CHECKING:
    from collections.abc import Iterable

TMP = "/tmp"
_MAX_LINKS = 40


class View:
    """The paths of one process.

    Args:
        private: The folder that stands for `/tmp`, absolute and without links; empty for none.
        islands: Folders that are what they are also below `/tmp`.
    """

    __slots__ = ("_folders", "_islands", "private")

    def __init__(self, private: str = "", islands: Iterable[str] = ()) -> None:
        self.private = private
        self._islands = tuple(path for path in islands if path.startswith(TMP + "/"))
        self._folders: dict[str, str] = {}

    def canonical(self, path: str, *, follows: bool = True) -> str:
        """Make a path canonical.

        Args:
            path: Absolute, or relative to the working directory.
            follows: Whether a link is followed that the last component is.

        Returns:
            The canonical path; nothing need exist there.

        Raises:
            OSError: Links lead in a circle, or there is no working directory any more.
        """
        if not path.startswith("/"):
            path = f"{self.working_directory()}/{path}"
        folder, _, name = path.rpartition("/")
        if name in {"", ".", ".."}:
            return self._walk(path, follows=True)
        step = self._named(f"{self._folder(folder)}/{name}")
        if not follows or self._link(step) is None:
            return step
        return self._walk(step, follows=True)

    def working_directory(self) -> str:
        """Return the working directory as the app knows it."""
        return self._shown(real.getcwd())

    def shown(self, path: str) -> str:
        """Return what a path of the host is called by the app."""
        return self._shown(path)

    def located(self, canonical: str) -> str:
        """Return where on the host a canonical path is."""
        return self.private + canonical[len(TMP) :] if self.is_tmp(canonical) else canonical

    def outside_name(self, path: str) -> str:
        """Return what an absolute path is called by those who do not share this view.

        Args:
            path: As the app has written it, without links being looked at.

        Returns:
            The same where both call it alike.
        """
        if "/../" in f"{path}/" or is_within(path, (self.private,)):
            return path
        return self.located(path)

    def is_tmp(self, canonical: str) -> bool:
        """Tell whether a canonical path is in the app's own `/tmp`."""
        if not self.private or not canonical.startswith(TMP):
            return False
        if canonical != TMP and canonical[len(TMP)] != "/":
            return False
        return not is_within(canonical, self._islands)

    def _folder(self, folder: str) -> str:
        known = self._folders.get(folder)
        if known is None:
            known = self._walk(folder, follows=True)
            known = "" if known == "/" else known
            # outside, what is a link and what is not stays so; /proc has links that change
            if not self.is_tmp(known) and not folder.startswith(("/proc", TMP)):
                self._folders[folder] = known
        return known

    def _walk(self, path: str, *, follows: bool) -> str:
        pending = path.split("/")[::-1]
        current, links = "", 0
        while pending:
            name = pending.pop()
            if name in {"", "."}:
                continue
            if name == "..":
                current = current.rpartition("/")[0]
                continue
            step = f"{current}/{name}"
            target = self._link(step) if follows or any(pending) else None
            if target is None:
                current = self._named(step)
                continue
            links += 1
            if links > _MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            if target.startswith("/"):
                current = ""
            pending += target.split("/")[::-1]
        return current or "/"

    def _link(self, step: str) -> str | None:
        """Read a link; None for what is none."""
        try:
            target = real.readlink(self.located(step))
        except (OSError, ValueError):
            return None
        # what /proc has for pipes and the like is no path
        return None if step.startswith("/proc/") and not target.startswith("/") else target

    def _named(self, step: str) -> str:
        return TMP if self.private and step == self.private else step

    def _shown(self, path: str) -> str:
        if not self.private or not is_within(path, (self.private,)):
            return path
        return TMP + path[len(self.private) :]


def descriptor_path(descriptor: int) -> str:
    """Return the path that a descriptor was opened with; empty for pipes, sockets and the like."""
    try:
        target = real.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return ""
    return target if target.startswith("/") else ""


def given(path: Any) -> Any:  # noqa: ANN401 (an argument of any kind)
    """Return a path argument as an error of the interpreter's names it."""
    return os.fspath(path) if isinstance(path, os.PathLike) else path


def exists(path: str) -> bool:
    """Tell whether there is something at a path, if only a link that leads nowhere."""
    try:
        real.lstat(path)
    except (OSError, ValueError):
        return False
    return True


def is_within(path: str, folders: Iterable[str]) -> bool:
    """Tell whether a path is one of these folders or lies below one."""
    return any(path == folder or path.startswith(folder + "/") for folder in folders)
