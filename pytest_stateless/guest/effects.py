"""Seeing that a module's import has effects that a later instance would miss.

The zygote cannot keep such a module: what it wrote or started would be there once, for the first
of all instances, and for none of those that serve.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_EFFECTS = frozenset({"os.mkdir", "os.fork", "os.posix_spawn", "os.system", "subprocess.Popen"})


def _nothing() -> None:
    pass


class EffectWatch:
    """Notes which modules write files or start processes while they are imported.

    An audit hook cannot be removed: a process makes one watch, and turns it off when done.
    """

    def __init__(self) -> None:
        self.is_on = True
        self.blamed: dict[str, None] = {}
        """Names of the modules, in order."""
        self.on_blame: Callable[[], None] = _nothing
        """Called whenever a module is noted."""
        sys.addaudithook(self._note)

    def _note(self, event: str, args: tuple[object, ...]) -> None:
        if self.is_on and _is_effect(event, args):
            self.blame(sys._getframe(1))  # noqa: SLF001 (the documented way to walk a stack)

    def blame(self, frame: FrameType | None) -> None:
        """Note the innermost module whose body is running.

        Args:
            frame: The innermost frame.
        """
        while frame is not None:
            if frame.f_code.co_name == "<module>":
                name = frame.f_globals.get("__name__")
                if isinstance(name, str):
                    self.blamed[name] = None
                    self.on_blame()
                return
            frame = frame.f_back


def _is_effect(event: str, args: tuple[object, ...]) -> bool:
    if event == "open":
        return _is_write(args)
    # the import system makes this folder
    return event in _EFFECTS and not str(args[0] if args else "").endswith("/__pycache__")


def _is_write(args: tuple[object, ...]) -> bool:
    flags = args[2] if len(args) > 2 else 0  # noqa: PLR2004 (path, mode, flags)
    return (
        isinstance(flags, int)
        and bool(flags & _WRITE_FLAGS)
        and not isinstance(args[0], int)  # it has been opened before
        and "/__pycache__/" not in str(args[0])
        and not str(args[0]).startswith("/dev/")
    )
