"""What an app does that its isolation cannot enforce anything on: named, never judged.

Where Python code alone is kept from writing, a program that is started writes where it likes, and
so does C code. That it is there is all that can be told.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pytest_stateless.guest.observe.origins import innermost_side, read, snapshot
from pytest_stateless.model.isolation import find_isolation
from pytest_stateless.model.observation import Unenforced
from pytest_stateless.model.place import innermost_first_party

if TYPE_CHECKING:
    from types import FrameType

    from pytest_stateless.guest.stack import StackReader
    from pytest_stateless.model.isolation import IsolationName

MAX_NOTICES = 50
_PROGRAMS, _C_CODE = "programs", "c-code"
_CALLS = {
    "subprocess.Popen": "subprocess.Popen",
    "os.posix_spawn": "os.posix_spawn",
    "os.system": "os.system",
    "os.exec": "os.exec",
    "multiprocessing": "multiprocessing.Process.start",
    "ctypes.dlopen": "ctypes.CDLL",
}


class UnenforcedLog:
    """Collects what an isolation lets through, where the interpreter tells of it.

    Args:
        reader: Knows what is first-party.
        isolation: What seals this process; None if nothing does.
    """

    def __init__(self, reader: StackReader, isolation: IsolationName | None) -> None:
        self._reader = reader
        self._isolation = find_isolation(isolation) if isolation else None
        self._seen: dict[Unenforced, None] = {}

    def noticed(self, event: str, args: tuple[object, ...], frame: FrameType) -> None:
        """Take down a call.

        Args:
            event: The audit event.
            args: Its arguments.
            frame: Of the caller.
        """
        call = _CALLS.get(event)
        gap = _C_CODE if event == "ctypes.dlopen" else _PROGRAMS
        if call is None or self._isolation is None or not self._isolation.lacks(gap):
            return
        stack = snapshot(frame)
        if gap == _C_CODE and innermost_side(stack, self._reader) != "app":
            return  # a library knows what it loads
        place = innermost_first_party(read(stack, self._reader))
        if place is not None and len(self._seen) < MAX_NOTICES:
            operation = f"{call}({_what(args)})"
            one = Unenforced(
                isolation=self._isolation.name, gap=gap, operation=operation, place=place
            )
            self._seen[one] = None

    def drain(self) -> tuple[Unenforced, ...]:
        """Forget what was seen.

        Returns:
            Each once.
        """
        seen, self._seen = self._seen, {}
        return tuple(seen)


def _what(args: tuple[object, ...]) -> str:
    first = args[0] if args else None
    if isinstance(first, (str, bytes, os.PathLike)):
        return repr(os.fsdecode(first).partition(" ")[0])
    return ""
