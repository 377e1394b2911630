"""The text that names an app: `module:attribute`, or a call of a factory with literals.

Source: the syntax is gunicorn's `APP_MODULE`
(https://docs.gunicorn.org/en/stable/run.html), plus an optional kind in front.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Literal, NoReturn, get_args

from pytest_stateless.errors import ConfigurationError

AppKind = Literal["wsgi", "asgi", "lambda"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppReference:
    """A parsed app reference.

    Attributes:
        text: As the user wrote it.
        module: Dotted name of the module to import.
        attributes: The attribute path below the module.
        is_factory: Whether the attribute is called to get the app.
        args: Positional arguments of the factory, literals.
        kwargs: Keyword arguments of the factory, literals.
        kind: The calling convention, where the user insists on one.
    """

    text: str
    module: str
    attributes: tuple[str, ...]
    is_factory: bool = False
    args: tuple[object, ...] = ()
    kwargs: dict[str, object] = field(default_factory=dict)
    kind: AppKind | None = None

    @property
    def top_level(self) -> str:
        """The top-level package that the app lives in."""
        return self.module.partition(".")[0]


def parse_app_reference(text: str) -> AppReference:
    """Read an app reference.

    Args:
        text: Such as `shop.app:app`, `shop:create_app()`, `shop:create_app('test')` or, where
            the calling convention cannot be told from the object, `lambda:shop.app:main`.

    Returns:
        The parsed reference.

    Raises:
        ConfigurationError: The text is no such reference.
    """
    kind: AppKind | None = None
    rest = text.strip()
    for candidate in get_args(AppKind):
        if rest.startswith(f"{candidate}:") and rest.count(":") > 1:
            kind, rest = candidate, rest.removeprefix(f"{candidate}:")
    module, colon, expression = rest.partition(":")
    module = module.strip()
    if not colon or not all(part.isidentifier() for part in module.split(".")):
        _refuse(text)
    try:
        node = ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        _refuse(text, error=error)
    args: tuple[object, ...] = ()
    kwargs: dict[str, object] = {}
    is_factory = isinstance(node, ast.Call)
    if isinstance(node, ast.Call):
        args, kwargs = _literal_arguments(node, text)
        node = node.func
    return AppReference(
        text=text,
        module=module,
        attributes=_attribute_path(node, text),
        is_factory=is_factory,
        args=args,
        kwargs=kwargs,
        kind=kind,
    )


def _literal_arguments(call: ast.Call, text: str) -> tuple[tuple[object, ...], dict[str, object]]:
    try:
        args = tuple(ast.literal_eval(arg) for arg in call.args)
        kwargs = {
            keyword.arg: ast.literal_eval(keyword.value)
            for keyword in call.keywords
            if keyword.arg is not None
        }
    except (ValueError, TypeError) as error:
        _refuse(text, "a factory takes literal arguments only", error)
    if len(kwargs) != len(call.keywords):
        _refuse(text, "a factory takes literal arguments only, no **mapping")
    return args, kwargs


def _attribute_path(node: ast.expr, text: str) -> tuple[str, ...]:
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        _refuse(text)
    return (node.id, *reversed(names))


def _refuse(text: str, why: str = "", error: Exception | None = None) -> NoReturn:
    if not why and text[:1] in {"'", '"'}:
        why = "in an ini file it stands without quotes"
    elif not why and ".py:" in text:
        why = "name the module, not its file"
    reason = f" ({why})" if why else ""
    raise ConfigurationError(
        f"app reference {text!r} cannot be read{reason}; write 'module:attribute', such as "
        "'shop.app:app', or 'module:factory()', such as \"shop:create_app('test')\""
    ) from error
