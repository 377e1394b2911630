"""Where a finding is shown to be: absolute paths turned into the user's own.

A place in an installed copy of the app (tox installs it into site-packages) is the matching
source file; what lies below the rootdir is shown relative to it; everything else stays absolute.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_stateless.model.place import Frame

_BEFORE_PACKAGES = re.compile(r"(?<![^\s'\"])/[^'\"\s]*/(?=(?:site|dist)-packages/)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The map from absolute paths to the paths that reports show.

    Attributes:
        rootdir: Absolute folder that paths are shown relative to.
        source_map: Installed prefix and source prefix, each an absolute file or folder; the
            longest prefix that fits is taken.
    """

    rootdir: str
    source_map: tuple[tuple[str, str], ...] = ()

    def show(self, path: str) -> str:
        """Turn an absolute path into the one that a finding shows.

        Args:
            path: Absolute path; anything else, such as `<string>`, is shown as it is.

        Returns:
            The source file's path, relative to the rootdir where it lies below.
        """
        fitting = [pair for pair in self.source_map if is_at_or_below(path, pair[0])]
        if fitting:
            installed, source = max(fitting, key=lambda pair: len(pair[0].rstrip("/")))
            path = source.rstrip("/") + path[len(installed.rstrip("/")) :]
        root = self.rootdir.rstrip("/") + "/"
        return path.removeprefix(root) or path

    def shorten(self, text: str) -> str:
        """Shorten the paths in a call, or in an error's message.

        Args:
            text: With absolute paths in it.

        Returns:
            The text, paths below the rootdir relative to it, those of an installed package from
            `site-packages` on.
        """
        root = self.rootdir.rstrip("/") + "/"
        if root != "/":
            text = text.replace(root, "")
        return _BEFORE_PACKAGES.sub("", text)

    def locate(self, frame: Frame | None) -> tuple[str, int]:
        """Return the path and the line that a finding shows for `frame`, or `("", 0)`."""
        return (self.show(frame.path), frame.line) if frame else ("", 0)

    def point(self, frame: Frame) -> str:
        """Return `path:line` of `frame`, as reports show it."""
        return f"{self.show(frame.path)}:{frame.line}"


def is_at_or_below(path: str, folder: str) -> bool:
    """Tell whether the absolute `path` is `folder` or lies below it."""
    bare = folder.rstrip("/")
    return path == bare or path.startswith(bare + "/")
