"""The descriptors of the host's handles, which no fork of the host may keep.

An instance that is forked from the test process would otherwise hold the sockets of zygotes and of
other instances, and an app that writes garbage to all its descriptors would write it there.
"""

from __future__ import annotations

import contextlib
import os

_ENDS: set[int] = set()


def add(*descriptors: int) -> None:
    """Note descriptors that this process has opened for itself."""
    _ENDS.update(descriptors)


def discard(*descriptors: int) -> None:
    """Forget descriptors that are about to be closed."""
    _ENDS.difference_update(descriptors)


def close_all() -> None:
    """Close them in a fork."""
    for descriptor in _ENDS:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _ENDS.clear()
