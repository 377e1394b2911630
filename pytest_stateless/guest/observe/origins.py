"""Whose code a frame runs: the app's, a library's, the standard library's or ours."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, Literal

from pytest_stateless.guest.stack import MAX_FRAMES, is_internal, walk

if TYPE_CHECKING:
    from types import CodeType, FrameType

    from pytest_stateless.guest.stack import StackReader
    from pytest_stateless.model.place import Frame

Side = Literal["app", "library", "python", "own"]
RawStack = tuple[tuple["CodeType", int], ...]
"""Code objects and line numbers, innermost first: cheap to take, read only when needed."""

_GUEST = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_STAND_INS = (
    os.path.join(_GUEST, "sandbox", "detour") + os.sep,
    os.path.join(_GUEST, "observe", "hook.py"),
)
STDLIB = os.path.dirname(os.__file__) + os.sep


def side_of(code: CodeType, reader: StackReader) -> Side:
    """Tell whose a code object is.

    Args:
        code: The code object.
        reader: Knows what is first-party.

    Returns:
        `python` for the standard library and for code without a file.
    """
    filename = code.co_filename
    if filename.startswith("<"):
        return "python"
    if is_internal(code):
        return "own"
    if reader.owns(filename):
        return "app"
    if filename.startswith(STDLIB) and "-packages/" not in filename:
        return "python"
    return "library"


def innermost_side(stack: RawStack, reader: StackReader) -> Side:
    """Tell who acts: the side of the innermost frame that is not the standard library's.

    Args:
        stack: Innermost first.
        reader: Knows what is first-party.

    Returns:
        `python` if there is no such frame.
    """
    for code, _ in stack:
        side = side_of(code, reader)
        if side != "python":
            return side
    return "python"


def snapshot(frame: FrameType | None) -> RawStack:
    """Take down a live stack, innermost first, without reading any file.

    What stands in for a function of the interpreter's is left out: its caller has called that.

    Args:
        frame: The innermost frame.

    Returns:
        Its places.
    """
    while frame is not None and stands_in(frame.f_code):
        frame = frame.f_back
    return tuple(
        (one.f_code, one.f_lineno or one.f_code.co_firstlineno)
        for one in itertools.islice(walk(frame), MAX_FRAMES * 2)
    )


def stands_in(code: CodeType) -> bool:
    """Tell whether a code object stands in for a function of the interpreter's."""
    return code.co_filename.startswith(_STAND_INS)


def read(stack: RawStack, reader: StackReader) -> tuple[Frame, ...]:
    """Turn a snapshot into values.

    Args:
        stack: Innermost first.
        reader: Reads the places.

    Returns:
        The frames, innermost first, without this package's and the import system's own.
    """
    places = [place for place in stack if not is_internal(place[0])]
    return tuple(reader.of_code(code, line) for code, line in places[:MAX_FRAMES])


def place_of(stack: RawStack, reader: StackReader) -> tuple[CodeType, int] | None:
    """Return the innermost first-party place of a stack; without one the innermost at all."""
    for place in stack:
        if reader.owns(place[0].co_filename):
            return place
    return next((place for place in stack if not is_internal(place[0])), None)
