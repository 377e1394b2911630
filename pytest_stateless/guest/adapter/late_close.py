"""Seeing what `close()` of a WSGI response runs once the response is complete.

Tidying up is what `close()` is for: a first-party iterable's own `close()`, and a generator
that unwinds, are no findings. A first-party function that a framework calls from there (Flask's
`call_on_close`, Django's `request_finished`) is work after the response.

The law: a call of first-party code is such work unless it is itself named like a clean-up, or
has an ancestor inside `close()` that is first-party (then that one is the finding, or the
clean-up) other than a `close()` itself, or runs below a generator that had begun before.
"""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING

from pytest_stateless.guest.adapter.definition import place_of_code
from pytest_stateless.guest.adapter.trail import read_trail
from pytest_stateless.model.observation import Survivor

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType

    from pytest_stateless.guest.stack import StackReader

_CLEAN_UP = frozenset({"close", "__exit__", "__aexit__"})
_FINALIZER = "__del__"
_RESUMABLE = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


class CloseWatch:
    """Watches one call of `close()` in this thread.

    Args:
        stack: Decides what is first-party.
    """

    def __init__(self, stack: StackReader) -> None:
        self._stack = stack
        self._found: dict[CodeType, Survivor] = {}
        self._unwinding: set[FrameType] = set()

    def run(self, close: Callable[[], object]) -> tuple[Survivor, ...]:
        """Call `close` and see what it runs.

        Args:
            close: Of the response.

        Returns:
            First-party functions that ran as work after the response.

        Raises:
            Exception: Whatever `close` raises.
        """
        previous = sys.getprofile()
        sys.setprofile(self._profile)
        try:
            close()
        finally:
            sys.setprofile(previous)
            self._unwinding.clear()
        return tuple(self._found.values())

    def _profile(self, frame: FrameType, event: str, _argument: object) -> None:
        if event != "call":
            return
        code = frame.f_code
        if code.co_flags & _RESUMABLE and _has_begun(frame):
            self._unwinding.add(frame)
        elif code in self._found or code.co_name in _CLEAN_UP:
            return
        elif self._stack.owns(code.co_filename) and not self._is_excused(frame):
            self._found[code] = self._survivor(frame)

    def _is_excused(self, frame: FrameType) -> bool:
        if frame.f_code.co_name == _FINALIZER:
            return True
        boundary = CloseWatch.run.__code__
        above = frame.f_back
        while above is not None and above.f_code is not boundary:
            code = above.f_code
            is_owned = self._stack.owns(code.co_filename)
            if above in self._unwinding or (is_owned and code.co_name not in _CLEAN_UP):
                return True
            above = above.f_back
        return False

    def _survivor(self, frame: FrameType) -> Survivor:
        code = frame.f_code
        callers = read_trail(self._stack, frame.f_back, CloseWatch.run.__code__)
        return Survivor(
            kind="close",
            name=code.co_qualname,
            target=f"{frame.f_globals.get('__name__', '')}.{code.co_qualname}",
            stack=(place_of_code(code, self._stack), *callers),
            runs_first_party=True,
            phase="request",
        )


def _has_begun(frame: FrameType) -> bool:
    """Tell whether a generator or coroutine frame is resumed, rather than entered."""
    # RESUME stands at the entry of every body; a frame that is entered is at or before it
    import dis  # noqa: PLC0415 (costs 5 ms, and is needed only for a generator's close)

    entry = next(
        (step.offset for step in dis.get_instructions(frame.f_code) if step.opname == "RESUME"), 0
    )
    return frame.f_lasti > entry
