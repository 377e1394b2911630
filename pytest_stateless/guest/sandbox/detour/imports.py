"""Importing from the private `/tmp`, where apps unpack packages that are too large to deploy.

The import system keeps the functions of the module `posix`, and would look in the host's `/tmp`.
It asks the hooks in `sys.path_hooks` for a finder of each entry of `sys.path`; ours is the first.

Source: https://docs.python.org/3/reference/import.html#path-entry-finders
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from pytest_stateless.guest.sandbox.detour.session import SESSION
from pytest_stateless.guest.sandbox.detour.view import TMP

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class _Later:
    """Finds what is in a folder or an archive that does not exist yet.

    Args:
        located: Where it will be on the host.
    """

    def __init__(self, located: str) -> None:
        self._located = located

    def find_spec(self, fullname: str, target: ModuleType | None = None) -> ModuleSpec | None:
        """Find a module, if there is anything by now."""
        finder = _finder_of(self._located)
        spec: ModuleSpec | None = None if finder is None else finder.find_spec(fullname, target)
        return spec


def follow_view() -> None:
    """Have the import system find the private folder at `/tmp`."""
    if _hook not in sys.path_hooks:
        sys.path_hooks.insert(0, _hook)
    for entry in [one for one in sys.path_importer_cache if one.startswith(TMP)]:
        if SESSION.locate(entry) is not None:
            del sys.path_importer_cache[entry]


def _hook(entry: str) -> Any:  # noqa: ANN401 (any finder)
    located = SESSION.locate(entry)
    if located is None:
        raise ImportError("not in the private folder", path=entry)
    return _finder_of(located) or _Later(located)


def _finder_of(located: str) -> Any:  # noqa: ANN401 (any finder)
    for hook in sys.path_hooks:
        try:
            return hook(located)
        except ImportError:
            continue
    return None
