from __future__ import annotations

import operator
import pickle

from recording_sink import RecordingSink

from pytest_stateless.errors import AdapterError
from pytest_stateless.guest.adapter.function import run_function
from pytest_stateless.wire.messages import Call


def run(function: object, *args: object, **kwargs: object) -> RecordingSink:
    return run_blob(pickle.dumps((function, args, kwargs)))


def run_blob(blob: bytes) -> RecordingSink:
    sink = RecordingSink()
    run_function(Call(number=1, blob=blob, timeout_s=3.0), sink)
    return sink


def make_generator() -> object:
    return (number for number in range(3))


async def wait() -> None:
    """Be awaited by nobody."""


def test_the_result_comes_back_pickled() -> None:
    sink = run(dict, [("a", 1)], b=2)

    assert pickle.loads(sink.results[0]) == {"a": 1, "b": 2}  # noqa: S301 (our own)
    assert sink.calls == ["returned", "complete"]


def test_an_exception_is_reported_as_it_is() -> None:
    sink = run(operator.truediv, 1, 0)

    assert [type(error) for error in sink.errors] == [ZeroDivisionError]
    assert sink.calls == ["raised", "complete"]


def test_a_result_that_cannot_be_pickled_is_named() -> None:
    sink = run(make_generator)

    (error,) = sink.errors
    assert isinstance(error, AdapterError)
    assert "test_function_call.make_generator returned generator" in str(error)


def test_a_coroutine_function_is_refused() -> None:
    sink = run(wait)

    (error,) = sink.errors
    assert isinstance(error, AdapterError)
    assert "asyncio.run" in str(error)


def test_a_function_that_is_not_there_is_named() -> None:
    sink = run_blob(b"cno_such_module\nf\n.")

    (error,) = sink.errors
    assert isinstance(error, AdapterError)
    assert "no_such_module" in str(error)
