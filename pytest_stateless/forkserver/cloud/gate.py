"""Through which every call passes, and which can be closed for the moment of a fork."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Gate:
    """Counts calls on their way, and lets none in while it is closed.

    Attributes:
        passed: How many have been let in so far.
    """

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._inside: dict[int, str] = {}
        self._is_open = True
        self.passed = 0

    @contextlib.contextmanager
    def call(self, name: str) -> Iterator[None]:
        """Let a call in, once the gate is open.

        Args:
            name: What it is, should it hold others up.

        Yields:
            While it is inside.
        """
        with self._change:
            self._change.wait_for(lambda: self._is_open)
            self.passed += 1
            key = self.passed
            self._inside[key] = name
        try:
            yield
        finally:
            with self._change:
                del self._inside[key]
                self._change.notify_all()

    def close(self, timeout_s: float) -> bool:
        """Let nobody in, and wait until nobody is inside.

        Args:
            timeout_s: How long to wait, in seconds.

        Returns:
            Whether nobody is.
        """
        deadline = time.monotonic() + timeout_s
        with self._change:
            self._is_open = False
            return self._change.wait_for(
                lambda: not self._inside, max(0.0, deadline - time.monotonic())
            )

    def open(self) -> None:
        """Let calls in again."""
        with self._change:
            self._is_open = True
            self._change.notify_all()

    def shown(self) -> str:
        """Name the calls that are inside."""
        with self._change:
            return ", ".join(self._inside.values())
