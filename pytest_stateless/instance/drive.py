"""Drivers: they do the waiting of a `Steps`, blocking or in an event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from pytest_stateless.instance.handle import Steps

T = TypeVar("T")


def run(steps: Steps[T]) -> T:
    """Run a computation to its end, blocking this thread.

    Args:
        steps: The computation.

    Returns:
        Its result.
    """
    try:
        while True:
            wait = next(steps)
            wait.selector.select(wait.timeout_s)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        # Ctrl-C leaves through here: the computation's own clean-up runs now
        steps.close()


async def run_async(steps: Steps[T]) -> T:
    """Run a computation to its end in asyncio or trio, letting other tasks run meanwhile.

    Args:
        steps: The computation.

    Returns:
        Its result.
    """
    import anyio  # noqa: PLC0415 (only the async client needs it; httpx2 brings it along)

    try:
        while True:
            wait = next(steps)
            with anyio.move_on_after(wait.timeout_s):
                await anyio.wait_readable(wait.fileno)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        # a cancelled request leaves through here: the computation's own clean-up runs now
        steps.close()
