"""What a callable runs in the end, beneath the wrappers that threads and pools are given."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import CodeType

    from pytest_stateless.guest.stack import StackReader

_MAX_LAYERS = 10


def function_of(
    target: Any,  # noqa: ANN401 (a callable of any make is looked into)
    args: tuple[object, ...] = (),
) -> object:
    """Look through partials, decorators, bound methods and `Context.run`.

    Args:
        target: A callable.
        args: What it will be called with.

    Returns:
        The innermost callable.
    """
    for _ in range(_MAX_LAYERS):
        if isinstance(target, functools.partial):
            args = (*target.args, *args)
            target = target.func
        elif hasattr(target, "__wrapped__"):
            target = target.__wrapped__
        elif hasattr(target, "__func__"):
            target = target.__func__
        elif _is_context_run(target) and args and callable(args[0]):
            target, args = args[0], args[1:]
        else:
            break
    return target


def _is_context_run(target: object) -> bool:
    return getattr(target, "__name__", "") == "run" and type(
        getattr(target, "__self__", None)
    ).__module__.endswith("contextvars")


def code_of(function: object) -> CodeType | None:
    """Return the code object of a function, or of a callable object; None for one written in C."""
    code: CodeType | None = getattr(function, "__code__", None)
    if code is None:
        code = getattr(vars(type(function)).get("__call__"), "__code__", None)
    return code


def name_of(function: object) -> str:
    """Name a function as `module.qualname`; empty for None."""
    if function is None:
        return ""
    named = function if hasattr(function, "__qualname__") else type(function)
    module = getattr(named, "__module__", None)
    qualname = getattr(named, "__qualname__", "")
    return f"{module}.{qualname}" if module else str(qualname)


def is_first_party(function: object, reader: StackReader) -> bool:
    """Tell whether a function is the user's."""
    code = code_of(function)
    return code is not None and reader.owns(code.co_filename)
