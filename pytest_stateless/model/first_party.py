"""What counts as the user's own code.

First-party is what lies under the rootdir outside installed packages, and the app's own
top-level packages *wherever they are installed*: tox installs them into site-packages.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstParty:
    """The boundary between the user's code and everybody else's.

    Attributes:
        roots: Absolute folders whose files are first-party (the rootdir, editable installs).
        excluded: Absolute folders below a root that are not (virtual environments, tox's).
        names: Top-level module names that are first-party wherever they are installed.
    """

    roots: tuple[str, ...]
    excluded: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def owns_module(self, name: str) -> bool:
        """Tell whether the module `name` belongs to a first-party top-level package."""
        return name.partition(".")[0] in self.names

    def owns_file(self, path: str) -> bool:
        """Tell whether the source file at the absolute `path` is first-party."""
        below = path.rpartition("-packages/")
        if below[1]:
            top = below[2].partition("/")[0].removesuffix(".py")
            return below[0].endswith(("/site", "/dist")) and top in self.names
        if path.startswith("<") or any(_is_below(path, folder) for folder in self.excluded):
            return False
        return any(_is_below(path, root) for root in self.roots)


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/")
