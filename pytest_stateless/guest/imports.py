"""Imports: what the zygote must not import, and first-party code kept compiled for instances.

One finder with two lives. In the zygote it refuses first-party modules, which would carry state
from one instance to the next, and remembers that it did: a third-party module that met a refusal
was imported into a world without the app and must not be kept. After the fork it finds
first-party modules as usual and hands out their compiled code, if the source has not changed.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import CodeType, ModuleType

    from pytest_stateless.model.first_party import FirstParty

_Stamp = tuple[int, int]


class CodeCache:
    """Compiled code of source files, valid while a file's time and size stay the same."""

    __slots__ = ("_known", "missed")

    def __init__(self) -> None:
        self._known: dict[str, tuple[_Stamp, CodeType]] = {}
        self.missed: list[str] = []
        """Source files that had to be compiled, in order."""

    def get(self, path: str) -> CodeType | None:
        """Return the code of an unchanged file, else None; the miss is remembered."""
        known = self._known.get(path)
        if known is not None and known[0] == _stamp(path):
            return known[1]
        self.missed.append(path)
        return None

    def add(self, paths: Iterable[str]) -> None:
        """Compile source files, without running them; what cannot be compiled is left out."""
        for path in paths:
            try:
                stamp = _stamp(path)
                if self._known.get(path, (None,))[0] != stamp:
                    code = SourceFileLoader("module", path).get_code("module")
                    if code is not None:
                        self._known[path] = (stamp, code)
            except (OSError, SyntaxError, ValueError):
                continue  # the instance that imports it says what is wrong


def _stamp(path: str) -> _Stamp:
    status = os.stat(path)
    return status.st_mtime_ns, status.st_size


class _CachedLoader(SourceFileLoader):
    """The standard loader, asking the cache before it compiles."""

    def __init__(self, fullname: str, path: str, cache: CodeCache) -> None:
        super().__init__(fullname, path)
        self._cache = cache

    def get_code(self, fullname: str) -> CodeType | None:
        """Return the module's code object, `importlib.abc.InspectLoader.get_code`."""
        code = self._cache.get(self.path)
        return code if code is not None else super().get_code(fullname)


def _nothing() -> None:
    pass


class FirstPartyFinder:
    """The finder at the front of `sys.meta_path`, in the zygote and in its instances."""

    def __init__(self) -> None:
        self.cache = CodeCache()
        self.is_refusing = True
        self.first_party: FirstParty | None = None
        self.refused: frozenset[str] = frozenset()
        self.refusals: list[str] = []
        """Names that were refused, in order."""
        self.asked: dict[str, None] = {}
        """Names that were looked for in an instance, in the order in which their imports began.

        `sys.modules` has the order in which they ended: a cycle of imports that is entered at
        its other end fails."""
        self.on_refusal: Callable[[], None] = _nothing
        """Called at each refusal."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Find a module, `importlib.abc.MetaPathFinder.find_spec`.

        Args:
            fullname: Absolute name of the module.
            path: The parent package's `__path__`, or None.
            target: Unused.

        Returns:
            A spec for first-party modules in an instance; None leaves it to the next finder.

        Raises:
            ModuleNotFoundError: The zygote must not import this module.
        """
        if self.first_party is None:
            return None
        if self.is_refusing:
            if fullname in self.refused:
                self._refuse(fullname)
        elif self._is_standard(fullname):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        origin = spec.origin if spec is not None else None
        is_own = self.first_party.owns_module(fullname) or (
            origin is not None and self.first_party.owns_file(origin)
        )
        if is_own and self.is_refusing:
            self._refuse(fullname)
        if is_own and origin is not None:
            self._keep_compiled(fullname, spec, origin)
        return None if fullname in sys.builtin_module_names else spec

    def _keep_compiled(self, fullname: str, spec: ModuleSpec | None, origin: str) -> None:
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _CachedLoader(fullname, origin, self.cache)

    def _is_standard(self, fullname: str) -> bool:
        self.asked[fullname] = None
        return fullname in sys.stdlib_module_names

    def _refuse(self, fullname: str) -> None:
        self.refusals.append(fullname)
        self.on_refusal()
        raise ModuleNotFoundError(f"{fullname} is imported in instances only", name=fullname)
