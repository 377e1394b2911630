"""Telling the calling convention of an app from its signature.

ASGI takes three arguments, WSGI and Lambda both take two and are told apart by the names that
their documentation gives these. Where names say nothing, an instance of a class is WSGI (no
framework makes handler objects without naming `event`); a plain function could be either.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING

from pytest_stateless.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_stateless.model.app_reference import AppKind

_WSGI_NAMES = frozenset({"environ", "env", "start_response"})
_ASGI_NAMES = frozenset({"scope", "receive", "send"})
_LAMBDA_NAMES = frozenset({"event", "context", "evt", "ctx"})
_ASGI_ARGUMENTS = 3
_OTHER_ARGUMENTS = 2


def detect_kind(app: object, reference: str = "") -> AppKind:
    """Tell the calling convention of an app.

    Args:
        app: A callable.
        reference: How the user named it, for the error.

    Returns:
        The convention.

    Raises:
        AdapterError: It cannot be told.
    """
    if not callable(app):
        raise AdapterError(f"app {reference!r} is not callable: {app!r}")
    names, is_open, required = _positional(app)
    words = {_word(name) for name in names}
    takes_three = required <= _ASGI_ARGUMENTS and (is_open or len(names) >= _ASGI_ARGUMENTS)
    if takes_three and (_is_async(app) or words & _ASGI_NAMES):
        return "asgi"
    if required <= _OTHER_ARGUMENTS and (is_open or len(names) >= _OTHER_ARGUMENTS):
        if words & _WSGI_NAMES:
            return "wsgi"
        if words & _LAMBDA_NAMES or any(word.endswith(("event", "context")) for word in words):
            return "lambda"
        if not _is_function(app):
            return "wsgi"
    raise AdapterError(_undecided(app, names, required, reference))


def _positional(app: Callable[..., object]) -> tuple[list[str], bool, int]:
    """Read which positional arguments an app takes; without a signature, it takes any."""
    try:
        parameters = inspect.signature(app).parameters.values()
    except (ValueError, TypeError):
        return [], True, 0
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    positional = [parameter for parameter in parameters if parameter.kind in kinds]
    is_open = any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters)
    required = sum(parameter.default is inspect.Parameter.empty for parameter in positional)
    return [parameter.name for parameter in positional], is_open, required


def _word(name: str) -> str:
    return name.strip("_").lower()


def _innermost(app: object) -> object:
    while True:
        if isinstance(app, functools.partial):
            app = app.func
        elif callable(app) and hasattr(app, "__wrapped__"):
            app = app.__wrapped__
        else:
            return app


def _is_async(app: object) -> bool:
    inner = _innermost(app)
    called = getattr(type(inner), "__call__", None)  # noqa: B004 (the method itself is wanted)
    return inspect.iscoroutinefunction(inner) or inspect.iscoroutinefunction(_innermost(called))


def _is_function(app: object) -> bool:
    return inspect.isroutine(_innermost(app)) or inspect.isclass(app)


def _undecided(app: object, names: list[str], required: int, reference: str) -> str:
    shown = reference or repr(app)
    bare = reference or "module:attribute"
    name = f"{bare}()"
    if not names:
        return (
            f"app {shown!r} takes no arguments, so it is no app; if it is a factory, write {name!r}"
        )
    taken = ", ".join(names)
    text = (
        f"app {shown!r} takes ({taken}), which tells neither WSGI (environ, start_response) "
        "nor ASGI (scope, receive, send) nor Lambda (event, context); "
    )
    if not required:
        text += f"if it is a factory, write {name!r}; if it is an app, "
    elif len(names) < _OTHER_ARGUMENTS:
        called = f"{bare}('...')"
        text += f"if it is a factory, give it its arguments, as in {called!r}; if it is an app, "
    return text + f"write 'wsgi:{bare}', 'asgi:{bare}' or 'lambda:{bare}'"
