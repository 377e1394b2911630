"""Hypothesis: each example of a test is judged by itself.

Source: "Custom function execution" and `inner_test`,
https://hypothesis.readthedocs.io/en/latest/extras.html
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

from pytest_stateless.plugin.verdicts import raise_findings

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from pytest_stateless.plugin.state import State


def watch_examples(item: pytest.Item, state: State) -> None:
    """Reset before each example of a Hypothesis test, and judge after it.

    Args:
        item: The test; nothing happens if it is none of Hypothesis's.
        state: The session's own.
    """
    handle = getattr(getattr(item, "obj", None), "hypothesis", None)
    if handle is None:
        return
    if state.services is not None:
        # what the test's own fixtures have left there is what each example begins with
        state.services.keep(item)
    if getattr(handle.inner_test, "is_watched_by_stateless", False):
        return
    handle.inner_test = _watched(handle.inner_test, state)


def _watched(inner: Callable[..., Any], state: State) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(inner):

        @functools.wraps(inner)
        async def watched_coroutine(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            __tracebackhide__ = True
            _reset(state)
            await inner(*args, **kwargs)
            raise_findings(state)

        watched: Callable[..., Any] = watched_coroutine
    else:

        @functools.wraps(inner)
        def watched_function(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401
            __tracebackhide__ = True
            _reset(state)
            inner(*args, **kwargs)
            raise_findings(state)

        watched = watched_function
    watched.is_watched_by_stateless = True  # type: ignore[attr-defined]
    return watched


def _reset(state: State) -> None:
    state.told_here.clear()
    if state.services is not None:
        state.services.put_back()
    if state.stateless is not None:
        state.stateless.reset()
