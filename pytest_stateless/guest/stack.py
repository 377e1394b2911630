"""Stacks of the running program as values.

What is first-party is decided here, in the instance, where the files are.
"""

from __future__ import annotations

import linecache
import os
from typing import TYPE_CHECKING

from pytest_stateless.model.place import Frame

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, FrameType, TracebackType

    from pytest_stateless.model.first_party import FirstParty

_OWN_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
MAX_FRAMES = 60
BOTTOM = "live_inherited"
"""The function of this package that serves in a fork of the test process."""


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
        for one in walk(frame):
            if not is_internal(one.f_code):
                found.append(self.of_code(one.f_code, one.f_lineno))
                if len(found) == MAX_FRAMES:
                    break
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


def walk(frame: FrameType | None) -> Iterator[FrameType]:
    """Walk a live stack outwards, as far as it is the instance's own.

    Below that are, in a fork of the test process, the frames of the test that forked it.

    Args:
        frame: The innermost frame, or None.

    Yields:
        The frames.
    """
    while frame is not None and not _is_bottom(frame.f_code):
        yield frame
        frame = frame.f_back


def _is_bottom(code: CodeType) -> bool:
    return code.co_name == BOTTOM and code.co_filename.startswith(_OWN_FOLDER)


def is_internal(code: CodeType) -> bool:
    """Tell whether a code object is this package's own, or the import system's."""
    filename = code.co_filename
    return filename.startswith(("<frozen importlib", _OWN_FOLDER))
