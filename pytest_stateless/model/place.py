"""Places in source code, as an instance saw them on its stack."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame of a stack.

    Attributes:
        path: Absolute path of the source file, as the interpreter knows it.
        line: 1-based line number.
        function: Qualified name of the code object, `<module>` at import.
        is_first_party: Whether the file belongs to the app or its tests.
        source: The text of the line, stripped; empty where it is not known.
    """

    path: str
    line: int
    function: str
    is_first_party: bool
    source: str = ""


def innermost_first_party(stack: tuple[Frame, ...]) -> Frame | None:
    """Return the first-party frame nearest to what happened.

    Args:
        stack: Frames, innermost first.

    Returns:
        The first of them that is first-party, or None.
    """
    return next((frame for frame in stack if frame.is_first_party), None)


def frames_within(stack: tuple[Frame, ...]) -> tuple[Frame, ...]:
    """Return the library code between what happened and the first-party code that called it.

    Args:
        stack: Frames, innermost first.

    Returns:
        The frames before the innermost first-party one; all of them if none is first-party.
    """
    return tuple(takewhile(lambda frame: not frame.is_first_party, stack))
