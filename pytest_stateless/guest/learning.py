"""Learning what an app imports, so that the zygote can import it ahead.

Runs in a throw-away instance. A module that writes files or starts threads while it is imported
is named too: its import has effects that an instance would miss if the zygote had done it.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING

from pytest_stateless.wire.messages import Learnt

if TYPE_CHECKING:
    from types import FrameType

    from pytest_stateless.model.first_party import FirstParty

_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_EFFECTS = frozenset({"os.mkdir", "os.fork", "subprocess.Popen"})


class Learner:
    """Watches one import of an app.

    Args:
        first_party: What the zygote must never import.
    """

    def __init__(self, first_party: FirstParty) -> None:
        self._first_party = first_party
        self._before = frozenset(sys.modules)
        self._impure: dict[str, None] = {}
        sys.addaudithook(self._note)
        self._watch_threads()

    def _note(self, event: str, args: tuple[object, ...]) -> None:
        if event in _EFFECTS or (event == "open" and _is_write(args)):
            self._blame()

    def _watch_threads(self) -> None:
        # CPython 3.11 has no audit event for a thread's start
        start = threading.Thread.start

        def watched(thread: threading.Thread) -> None:
            self._blame()
            start(thread)

        setattr(threading.Thread, "start", watched)  # noqa: B010 (mypy takes no assignment)

    def _blame(self) -> None:
        name = _importing_module()
        if name is not None:
            self._impure[name] = None

    def finish(self) -> Learnt:
        """Tell what has been imported since the learner was made.

        Returns:
            The message for the host.
        """
        modules: list[str] = []
        sources: list[str] = []
        for name, module in list(sys.modules.items()):
            path = getattr(getattr(module, "__spec__", None), "origin", None)
            if name in self._before:
                continue
            if self._first_party.owns_module(name) or (
                path is not None and self._first_party.owns_file(path)
            ):
                if path is not None and path.endswith(".py"):
                    sources.append(path)
            elif getattr(module, "__spec__", None) is not None:
                modules.append(name)
        refused = tuple(name for name in self._impure if name in modules)
        return Learnt(modules=tuple(modules), refused=refused, sources=tuple(sources))


def _is_write(args: tuple[object, ...]) -> bool:
    flags = args[2] if len(args) > 2 else 0  # noqa: PLR2004 (path, mode, flags)
    return (
        isinstance(flags, int)
        and bool(flags & _WRITE_FLAGS)
        and "/__pycache__/" not in str(args[0])
        and not str(args[0]).startswith("/dev/")
    )


def _importing_module() -> str | None:
    """Name the innermost module whose body is running."""
    frame: FrameType | None = sys._getframe(3)  # noqa: SLF001 (the documented way to walk a stack)
    while frame is not None:
        if frame.f_code.co_name == "<module>":
            name = frame.f_globals.get("__name__")
            return name if isinstance(name, str) else None
        frame = frame.f_back
    return None
