"""Stacks of the app's own making: cut where an adapter called it.

When an adapter runs in the test's process, the frames above it are the test's, which are
first-party too and have nothing to do with what the app started.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stateless.guest.stack import MAX_FRAMES, is_internal

if TYPE_CHECKING:
    from types import CodeType, FrameType

    from pytest_stateless.guest.stack import StackReader
    from pytest_stateless.model.place import Frame


def read_trail(
    stack: StackReader, frame: FrameType | None, boundary: CodeType
) -> tuple[Frame, ...]:
    """Read a live stack up to the frame of an adapter.

    Args:
        stack: Turns frames into values.
        frame: The innermost frame.
        boundary: The code of the adapter's function that runs the app; it and what is above
            it are left out.

    Returns:
        The frames, innermost first, without this package's own.
    """
    found: list[Frame] = []
    while frame is not None and frame.f_code is not boundary and len(found) < MAX_FRAMES:
        if not is_internal(frame.f_code):
            found.append(stack.of_code(frame.f_code, frame.f_lineno))
        frame = frame.f_back
    return tuple(found)
