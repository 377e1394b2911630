"""Finding what an app reference names: the object and where it is defined.

What the app raises while it is imported or made is the app's own and propagates; only a
reference that names nothing is an `AdapterError`.
"""

from __future__ import annotations

import difflib
import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from pytest_stateless.errors import AdapterError
from pytest_stateless.guest.adapter.definition import place_of
from pytest_stateless.guest.adapter.kind import detect_kind
from pytest_stateless.model.app_reference import AppKind, parse_app_reference
from pytest_stateless.model.place import Frame

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from pytest_stateless.guest.stack import StackReader
    from pytest_stateless.model.app_reference import AppReference


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedApp:
    """An app, imported and made.

    Attributes:
        app: The object to call.
        kind: Its calling convention.
        place: Where it is defined; None where its source is not known.
        reference: As the user wrote it.
    """

    app: object
    kind: AppKind
    place: Frame | None
    reference: str


def load_app(reference: AppReference, stack: StackReader, *, wants_place: bool = True) -> LoadedApp:
    """Import what a reference names, and make the app if it names a factory.

    Args:
        reference: What to load.
        stack: Decides what is first-party.
        wants_place: Whether to look for where the app is defined, which means parsing its module.

    Returns:
        The app.

    Raises:
        AdapterError: The reference names nothing, or nothing that can be called as an app.
    """
    module = _import(reference.module, reference.text)
    found = _attribute(module, reference.attributes, reference.text)
    app = found
    if reference.is_factory:
        if not callable(found):
            raise AdapterError(
                f"app {reference.text!r}: {'.'.join(reference.attributes)} is no factory but "
                f"{_describe(found)}; write '{reference.module}:"
                f"{'.'.join(reference.attributes)}' without the call"
            )
        app = found(*reference.args, **reference.kwargs)
    if not callable(app):
        raise AdapterError(
            f"app {reference.text!r} is not callable: it is {_describe(app)}; name the WSGI or "
            "ASGI app, the Lambda handler, or a factory with its call, such as 'shop:create_app()'"
        )
    kind = reference.kind or detect_kind(app, reference.text)
    place = place_of(found, module, reference.attributes[0], stack) if wants_place else None
    return LoadedApp(app=app, kind=kind, place=place, reference=reference.text)


def adopt_app(app: object, name: str) -> LoadedApp:
    """Take an app object that somebody else has made.

    Args:
        app: The object.
        name: What to call it in messages.

    Returns:
        The app; where it was made is not known.

    Raises:
        AdapterError: It cannot be called as an app.
    """
    if not callable(app):
        raise AdapterError(
            f"{name} is not callable: it is {_describe(app)}; give the WSGI or ASGI app or the "
            "Lambda handler itself"
        )
    return LoadedApp(app=app, kind=detect_kind(app, name), place=None, reference=name)


def load_function(text: str) -> Callable[[], object]:
    """Import a function that is called without arguments, such as `stateless_setup`'s.

    Args:
        text: Such as `tests.sealed:setup`.

    Returns:
        The function.

    Raises:
        AdapterError: The reference names nothing that can be called.
        ConfigurationError: The text is no reference.
    """
    reference = parse_app_reference(text)
    if reference.is_factory:
        raise AdapterError(f"function {text!r} is written with a call; write it without")
    found = _attribute(_import(reference.module, text), reference.attributes, text)
    if not callable(found):
        raise AdapterError(
            f"function {text!r} is not callable: it is {_describe(found)}; "
            "name a function that takes no arguments"
        )
    return cast("Callable[[], object]", found)


def _import(name: str, text: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing != name and not name.startswith(f"{missing}."):
            raise
        raise AdapterError(
            f"{text!r} cannot be loaded: there is no module {missing!r}; check the spelling, and "
            "that its folder is on sys.path (pytest's `pythonpath` option adds one)"
        ) from error


def _attribute(module: ModuleType, path: tuple[str, ...], text: str) -> object:
    found: object = module
    reached = module.__name__
    for name in path:
        try:
            found = getattr(found, name)
        except AttributeError as error:
            near = difflib.get_close_matches(name, dir(found))
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise AdapterError(
                f"{text!r} cannot be loaded: {reached} has no attribute {name!r}{hint}"
            ) from error
        reached = f"{reached}.{name}"
    return found


def _describe(value: object) -> str:
    text = repr(value)
    shown = text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004 (fits a line)
    return f"a {type(value).__name__} ({shown})"
