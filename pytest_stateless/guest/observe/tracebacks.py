"""Tracebacks as text, cut to the user's frames."""

from __future__ import annotations

import os
import traceback
from typing import TYPE_CHECKING

from pytest_stateless import errors

if TYPE_CHECKING:
    from pytest_stateless.guest.stack import StackReader

_INTERNAL = ("<frozen importlib", os.path.dirname(os.path.abspath(errors.__file__)) + os.sep)


def cut_traceback(error: BaseException, stack: StackReader) -> str:
    """Format an exception with its causes, without frames that say nothing to the user.

    Args:
        error: The exception with its traceback.
        stack: Knows what is first-party.

    Returns:
        The text, from the first first-party frame on where there is one, with a last newline.
    """
    described = traceback.TracebackException.from_exception(error)
    _cut(described, stack)
    return "".join(described.format())


def last_line(error: BaseException) -> str:
    """Return what an exception says in one line, such as `ValueError: no sku`."""
    lines = list(traceback.TracebackException.from_exception(error).format_exception_only())
    text = "".join(lines[-1:] if isinstance(error, SyntaxError) else lines[:1])
    return " ".join(text.split())


def _cut(described: traceback.TracebackException, stack: StackReader) -> None:
    pending = [described]
    while pending:
        one = pending.pop()
        one.stack = traceback.StackSummary.from_list(_kept(one.stack, stack))
        chained = (one.__cause__, one.__context__, *(one.exceptions or ()))
        pending += [link for link in chained if link is not None]


def _kept(summary: traceback.StackSummary, stack: StackReader) -> list[traceback.FrameSummary]:
    kept = [frame for frame in summary if not frame.filename.startswith(_INTERNAL)]
    owned = (number for number, frame in enumerate(kept) if stack.owns(frame.filename))
    return kept[next(owned, 0) :]
