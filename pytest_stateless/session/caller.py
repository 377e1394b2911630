"""The line of the test, or of the suite's code, that asks for something."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pytest_stateless.guest.stack import StackReader
from pytest_stateless.model.place import Frame, innermost_first_party

if TYPE_CHECKING:
    from pytest_stateless.model.first_party import FirstParty


def caller_place(boundary: FirstParty) -> Frame | None:
    """Return where this process is, in code of the user's.

    Args:
        boundary: What is the user's own.

    Returns:
        The innermost such line on the stack; None if there is none.
    """
    stack = StackReader(boundary).of_frame(sys._getframe(1))  # noqa: SLF001 (documented)
    return innermost_first_party(stack)
