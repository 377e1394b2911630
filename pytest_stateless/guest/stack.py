"""Stacks of the running program as values.

What is first-party is decided here, in the instance, where the files are.
"""

from __future__ import annotations

import linecache
import os
from typing import TYPE_CHECKING

from pytest_stateless.model.place import Frame

if TYPE_CHECKING:
    from types import CodeType, FrameType, TracebackType

    from pytest_stateless.model.first_party import FirstParty

_OWN_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
MAX_FRAMES = 60


class StackReader:
    """Turns frames, tracebacks and code objects into values.

    Args:
        first_party: What counts as the user's code.
    """

    __slots__ = ("_ownership", "first_party")

    def __init__(self, first_party: FirstParty) -> None:
        self.first_party = first_party
        self._ownership: dict[str, bool] = {}

    def owns(self, filename: str) -> bool:
        """Tell whether a code object's file is first-party; remembered by name."""
        known = self._ownership.get(filename)
        if known is None:
            path = os.path.abspath(filename) if not filename.startswith("<") else filename
            known = self._ownership[filename] = self.first_party.owns_file(path)
        return known

    def of_frame(self, frame: FrameType | None) -> tuple[Frame, ...]:
        """Read a live stack.

        Args:
            frame: The innermost frame, or None.

        Returns:
            The frames, innermost first, without this package's and the import system's own.
        """
        found: list[Frame] = []
        while frame is not None and len(found) < MAX_FRAMES:
            if not is_internal(frame.f_code):
                found.append(self.of_code(frame.f_code, frame.f_lineno))
            frame = frame.f_back
        return tuple(found)

    def of_traceback(self, traceback: TracebackType | None) -> tuple[Frame, ...]:
        """Read the stack of an exception.

        Args:
            traceback: The exception's `__traceback__`.

        Returns:
            The frames, innermost first.
        """
        found: list[Frame] = []
        while traceback is not None:
            code = traceback.tb_frame.f_code
            if not is_internal(code):
                found.append(self.of_code(code, traceback.tb_lineno))
            traceback = traceback.tb_next
        return tuple(reversed(found))[:MAX_FRAMES]

    def of_code(self, code: CodeType, line: int | None = None) -> Frame:
        """Read one place: a line of a code object, or its definition."""
        filename = code.co_filename
        path = filename if filename.startswith("<") else os.path.abspath(filename)
        number = line or code.co_firstlineno
        owned = self.owns(filename)
        return Frame(
            path=path,
            line=number,
            function=code.co_qualname,
            is_first_party=owned,
            source=linecache.getline(path, number).strip() if owned else "",
        )


def is_internal(code: CodeType) -> bool:
    """Tell whether a code object is this package's own, or the import system's."""
    filename = code.co_filename
    return filename.startswith(("<frozen importlib", _OWN_FOLDER))
