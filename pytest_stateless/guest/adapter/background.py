"""Holding back background tasks of Starlette and Litestar until their instance is thawed.

A framework runs these after the response. An instance is frozen then: what is left waits until
another request thaws it, if one ever does. So a task that is reached after its response is
complete is reported, parked, and goes on with the next request that this instance serves.

The classes are patched once per process; code outside an exchange of ours (a test client in the
same process, Mangum) is not affected.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import sys
import weakref
from typing import TYPE_CHECKING, Any

from pytest_stateless.guest.adapter.asgi_exchange import CURRENT
from pytest_stateless.guest.adapter.definition import code_of, place_of_code, target_of
from pytest_stateless.guest.adapter.trail import read_trail
from pytest_stateless.model.observation import Survivor

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from pytest_stateless.guest.adapter.asgi_exchange import AsgiExchange
    from pytest_stateless.model.place import Frame

_MODULES = ("starlette.background", "litestar.background_tasks")
_MARK = "__stateless_original__"
_SEND_LAST_S = 1.0

_made: weakref.WeakKeyDictionary[object, tuple[Frame, ...]] = weakref.WeakKeyDictionary()


def hold_background_tasks() -> None:
    """Patch the classes of background tasks that are loaded, subclasses included."""
    for module_name in _MODULES:
        module = sys.modules.get(module_name)
        for name in ("BackgroundTask", "BackgroundTasks"):
            base = getattr(module, name, None)
            if isinstance(base, type):
                for cls in _with_subclasses(base):
                    _patch(cls)


def _with_subclasses(base: type[object]) -> Iterator[type[object]]:
    yield base
    for cls in base.__subclasses__():
        yield from _with_subclasses(cls)


def _patch(cls: type) -> None:
    for name, wrap in (("__init__", _remembering), ("__call__", _holding)):
        original = cls.__dict__.get(name)
        if original is not None and not hasattr(original, _MARK):
            wrapped = wrap(original)
            setattr(wrapped, _MARK, original)
            setattr(cls, name, wrapped)


def _remembering(original: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(original)
    def __init__(self: object, *args: object, **kwargs: object) -> None:  # noqa: N807 (it is one)
        original(self, *args, **kwargs)
        exchange = CURRENT.get()
        if exchange is not None:
            trail = read_trail(exchange.stack, sys._getframe(1), exchange.boundary)  # noqa: SLF001
            with contextlib.suppress(TypeError):  # Litestar's have slots: no weak reference
                _made.setdefault(self, trail)

    return __init__


def _holding(original: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    @functools.wraps(original)
    async def __call__(self: object, *args: Any, **kwargs: Any) -> None:  # noqa: N807, ANN401
        exchange = CURRENT.get()
        if exchange is not None:
            caller = sys._getframe(1)  # noqa: SLF001 (who awaits this)
            is_by_hand = exchange.stack.owns(caller.f_code.co_filename)
            await _hold(self, exchange, is_by_hand=is_by_hand)
        await original(self, *args, **kwargs)

    return __call__


async def _hold(task: object, exchange: AsgiExchange, *, is_by_hand: bool) -> None:
    functions = tuple(_functions(task))
    if not functions or exchange.thawed.is_set():
        return
    if not exchange.is_complete and (exchange.is_started or not is_by_hand):
        # a middleware may still be passing on the last piece; code that awaits a background
        # task itself, before it answers, is no concern of ours
        await asyncio.wait({exchange.completed}, timeout=_SEND_LAST_S)
    if not exchange.is_complete:
        return
    for part, function in functions:
        exchange.sink.survived(_survivor(part, function, exchange))
    if not exchange.parked.done():
        exchange.parked.set_result(None)
    await exchange.thawed.wait()


def _functions(task: object) -> Iterator[tuple[object, object]]:
    """Yield each task that `task` consists of, with what it runs."""
    parts = getattr(task, "tasks", None)
    if parts is not None:
        for part in parts:
            yield from _functions(part)
        return
    function = getattr(task, "func", None) or getattr(task, "fn", None)
    while function is not None and not inspect.isroutine(function) and hasattr(function, "func"):
        function = function.func  # a partial, or Litestar's AsyncCallable
    if function is not None:
        yield task, function


def _survivor(task: object, function: object, exchange: AsgiExchange) -> Survivor:
    try:
        trail = _made.get(task, ())
    except TypeError:
        trail = ()
    code = code_of(function)
    definition = (place_of_code(code, exchange.stack),) if code is not None else ()
    is_own = any(frame.is_first_party for frame in (*trail, *definition))
    target = target_of(function)
    return Survivor(
        kind="background",
        name=getattr(function, "__qualname__", target.rpartition(".")[2]),
        target=target,
        stack=trail or definition,
        runs_first_party=is_own,
        phase="request",
    )
