"""Running a plain function: `stateless.call(function, *args)`."""

from __future__ import annotations

import inspect
import pickle
from typing import TYPE_CHECKING

from pytest_stateless.errors import AdapterError
from pytest_stateless.guest.adapter.definition import target_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_stateless.guest.adapter.contract import Sink
    from pytest_stateless.wire.messages import Call


def run_function(call: Call, sink: Sink, inherited: Callable[[], object] | None = None) -> None:
    """Run a function and hand over its pickled result.

    Args:
        call: What to run; pickled by the test that this instance works for.
        sink: Where the result or the exception goes.
        inherited: The function with its arguments, where it is in memory already.
    """
    try:
        if inherited is not None:
            result = inherited()
            blob = _dump(inherited, result)
        else:
            function, args, kwargs = _load(call.blob)
            result = function(*args, **kwargs)
            blob = _dump(function, result)
    except Exception as error:  # noqa: BLE001 (whatever the function raises is data)
        sink.raised(error)
    else:
        sink.returned(blob)
    sink.complete()


def _load(
    blob: bytes,
) -> tuple[Callable[..., object], tuple[object, ...], dict[str, object]]:
    try:
        function, args, kwargs = pickle.loads(blob)  # noqa: S301 (our own test's pickle)
    except Exception as error:
        raise AdapterError(
            f"stateless.call: the function or its arguments cannot be loaded in the instance "
            f"({type(error).__name__}: {error}); define them at the top level of a module that "
            "can be imported there"
        ) from error
    return function, args, kwargs


def _dump(function: Callable[..., object], result: object) -> bytes:
    name = target_of(function)
    if inspect.iscoroutine(result):
        result.close()
        raise AdapterError(
            f"stateless.call: {name} returned a coroutine, which nobody awaits; "
            "pass a plain function that calls asyncio.run(...)"
        )
    try:
        return pickle.dumps(result)
    except Exception as error:
        raise AdapterError(
            f"stateless.call: {name} returned {type(result).__qualname__}, which cannot be "
            f"pickled and sent back ({error}); return plain values"
        ) from error
