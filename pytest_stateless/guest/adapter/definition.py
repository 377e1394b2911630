"""Where an object is defined in source code: its `def`, or the assignment that names it."""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import re
import sys
from types import CodeType, ModuleType
from typing import TYPE_CHECKING

from pytest_stateless.model.place import Frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_stateless.guest.stack import StackReader

_MAX_DECORATOR_LINES = 50
_MAX_HOPS = 5
_INNER_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def code_of(value: object) -> CodeType | None:
    """Return the code that calling `value` runs, as far as it is written in Python.

    Args:
        value: A function, method, partial, decorated function or callable object.

    Returns:
        The code, or None.
    """
    inner = value
    while isinstance(inner, functools.partial):
        inner = inner.func
    inner = inspect.unwrap(inner) if callable(inner) else inner
    inner = getattr(inner, "__func__", inner)
    code = getattr(inner, "__code__", None)
    if code is None and not inspect.isclass(inner):
        code = getattr(getattr(type(inner), "__call__", None), "__code__", None)  # noqa: B004
    return code if isinstance(code, CodeType) else None


def place_of_code(code: CodeType, stack: StackReader) -> Frame:
    """Return the place of a function's `def`, below its decorators.

    Args:
        code: Of the function.
        stack: Decides what is first-party.

    Returns:
        The place.
    """
    first = code.co_firstlineno
    for line in range(first, first + _MAX_DECORATOR_LINES):
        if linecache.getline(code.co_filename, line).lstrip().startswith(("def ", "async def ")):
            return stack.of_code(code, line)
    return stack.of_code(code)


def place_of(value: object, module: ModuleType, name: str, stack: StackReader) -> Frame | None:
    """Find where an object is defined.

    Args:
        value: A function, whose `def` is meant, or any other object.
        module: The module that `value` was reached through.
        name: Its name there.
        stack: Decides what is first-party.

    Returns:
        The place; None where the source is not known.
    """
    if inspect.isroutine(value) or isinstance(value, functools.partial):
        code = code_of(value)
        return place_of_code(code, stack) if code is not None else None
    return _place_of_name(module, name, stack, hops=_MAX_HOPS)


def _place_of_name(module: ModuleType, name: str, stack: StackReader, *, hops: int) -> Frame | None:
    path = getattr(module, "__file__", None)
    if not path:
        return None
    line = _only_assignment(path, name)
    if line:
        return _frame(path, line, stack)
    try:
        tree = ast.parse("".join(linecache.getlines(path)))
    except SyntaxError:
        return None
    binding = next((node for node in _bindings(tree, name)), None)
    if binding is None:
        return None
    if isinstance(binding, ast.ImportFrom) and hops:
        origin, original = _imported(binding, name, module)
        if origin is not None:
            found = _place_of_name(origin, original, stack, hops=hops - 1)
            if found is not None:
                return found
    return _frame(path, binding.lineno, stack)


def _frame(path: str, line: int, stack: StackReader) -> Frame:
    return Frame(
        path=path,
        line=line,
        function="<module>",
        is_first_party=stack.owns(path),
        source=linecache.getline(path, line).strip(),
    )


def _only_assignment(path: str, name: str) -> int:
    """Return the line of `name = ...` where the text leaves no doubt about it, else 0."""
    # parsing costs a cold start 1 ms for each 100 lines of the module, this next to nothing
    text = "".join(linecache.getlines(path))
    found = list(re.finditer(rf"^([ \t]*){name}[ \t]*(?::[^=\n]*)?=(?!=)", text, re.MULTILINE))
    if len(found) != 1 or found[0][1]:
        return 0
    before = text[: found[0].start()]
    is_quoted = any(before.count(quotes) % 2 for quotes in ('"""', "'''"))
    return 0 if is_quoted else before.count("\n") + 1


def _bindings(tree: ast.Module, name: str) -> Iterator[ast.stmt]:
    """Yield the module-level statements that bind `name`, the last in the file first."""
    found = [node for node in _module_level(tree) if name in _bound_names(node)]
    yield from sorted(found, key=lambda node: node.lineno, reverse=True)


def _module_level(node: ast.AST) -> Iterator[ast.stmt]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child
        if not isinstance(child, _INNER_SCOPES):
            yield from _module_level(child)


def _bound_names(node: ast.stmt) -> set[str]:
    match node:
        case ast.Assign(targets=targets):
            return {found for target in targets for found in _target_names(target)}
        case ast.AnnAssign(target=target, value=value) if value is not None:
            return set(_target_names(target))
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.ImportFrom(names=names):
            return {alias.asname or alias.name for alias in names}
        case _:
            return set()


def _target_names(target: ast.expr) -> Iterator[str]:
    for node in ast.walk(target):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _imported(
    node: ast.ImportFrom, name: str, importer: ModuleType
) -> tuple[ModuleType | None, str]:
    """Resolve `from x import y as name` among the modules that are loaded."""
    original = next(alias.name for alias in node.names if name in {alias.asname, alias.name})
    base = node.module or ""
    if node.level:
        package = (importer.__package__ or "").split(".")
        base = ".".join([*package[: len(package) - node.level + 1], *filter(None, [base])])
    return sys.modules.get(base), original


def target_of(value: object) -> str:
    """Name what calling `value` runs, as `module.qualname`.

    Args:
        value: A function, method, partial or callable object.

    Returns:
        The name, that of its class for a callable object.
    """
    while isinstance(value, functools.partial):
        value = value.func
    named = value if hasattr(value, "__qualname__") else type(value)
    module = getattr(named, "__module__", None)
    qualname = getattr(named, "__qualname__", repr(value))
    return f"{module}.{qualname}" if module else str(qualname)
