"""Where first-party code called or configured the library that wrote without it on the stack.

The candidates are the third-party top-level packages on the stack, innermost first, web
frameworks left out: those call, they do not write. For each, the first-party modules that are
loaded are searched for the first call of a name imported from it (`Session(app)`,
`flask_session.Session(app)`), then for the import itself. Trying all of them covers indirection:
`cachelib` writes, but the app only knows `flask_session`.
"""

from __future__ import annotations

import ast
import dataclasses
import linecache
import sys
from typing import TYPE_CHECKING

from pytest_stateless.guest.observe.origins import STDLIB
from pytest_stateless.model.place import Frame, innermost_first_party

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_stateless.guest.stack import StackReader
    from pytest_stateless.model.observation import Write

FRAMEWORKS = frozenset({
    "a2wsgi", "aiohttp", "anyio", "asgiref", "blinker", "bottle", "click", "django", "falcon",
    "fastapi", "flask", "greenlet", "gunicorn", "hypercorn", "litestar", "mangum", "pyramid",
    "quart", "sanic", "sniffio", "starlette", "tornado", "uvicorn", "uvloop", "webob", "werkzeug",
    "whitenoise", "wrapt",
})  # fmt: skip
MAX_MODULES = 300
_Place = tuple[str, int, str]


def find_anchor(write: Write, reader: StackReader) -> Write:
    """Anchor a write that has no first-party frame.

    Args:
        write: As it was seen.
        reader: Knows what is first-party.

    Returns:
        The same with its `anchor`, where one is needed and found; one that it has may stay.
    """
    if innermost_first_party(write.stack) is not None:
        return write
    packages = _packages_on(write.stack)
    if not packages:
        return write
    usages = [_Usages(path, packages) for path in _loaded_sources(reader, packages)]
    for package in packages:
        place = next((u.calls[package] for u in usages if package in u.calls), None)
        if place is not None:
            return dataclasses.replace(write, anchor=_frame(place))
    for package in packages:
        place = next((u.imports[package] for u in usages if package in u.imports), None)
        if place is not None:
            return dataclasses.replace(write, anchor=_frame(place))
    return write


def _packages_on(stack: tuple[Frame, ...]) -> tuple[str, ...]:
    tops = (_top_level(frame.path) for frame in stack)
    return tuple(dict.fromkeys(top for top in tops if top and top not in FRAMEWORKS))


def _top_level(path: str) -> str:
    """Return the top-level package of a third-party source file; empty for any other."""
    below = path.rpartition("-packages/")
    rest = below[2] if below[1] else ""
    if not rest and not path.startswith(("<", STDLIB)):
        folders = [entry.rstrip("/") + "/" for entry in sys.path if entry.startswith("/")]
        best = max((f for f in folders if path.startswith(f)), key=len, default="")
        rest = path.removeprefix(best) if best else ""
    return rest.partition("/")[0].removesuffix(".py")


def _loaded_sources(reader: StackReader, packages: tuple[str, ...]) -> Iterator[str]:
    """Yield first-party source files in the order of import that mention one of the packages."""
    modules = list(sys.modules.values())
    paths = (getattr(module, "__file__", None) for module in modules)
    owned = (path for path in paths if isinstance(path, str) and path.endswith(".py"))
    for path in [path for path in owned if reader.owns(path)][:MAX_MODULES]:
        text = "".join(linecache.getlines(path))
        if any(package in text for package in packages):
            yield path


class _Usages(ast.NodeVisitor):
    """The first import and the first call of each package in one source file."""

    def __init__(self, path: str, packages: tuple[str, ...]) -> None:
        self._path = path
        self._packages = packages
        self._names: dict[str, str] = {}
        self._scope: list[str] = []
        self.imports: dict[str, _Place] = {}
        self.calls: dict[str, _Place] = {}
        try:
            self.visit(ast.parse("".join(linecache.getlines(path))))
        except (SyntaxError, ValueError, RecursionError):
            return

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            top = alias.name.partition(".")[0]
            self._imported(top, alias.asname or top, node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.level == 0 and node.module:
            top = node.module.partition(".")[0]
            for alias in node.names:
                self._imported(top, alias.asname or alias.name, node)

    def visit_Call(self, node: ast.Call) -> None:
        root = node.func
        while isinstance(root, ast.Attribute):
            root = root.value
        package = self._names.get(root.id) if isinstance(root, ast.Name) else None
        if package is not None:
            self.calls.setdefault(package, self._place(node))
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._enter(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._enter(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._enter(node)

    def _enter(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        self._scope.append(node.name)
        self.generic_visit(node)
        self._scope.pop()

    def _imported(self, top: str, name: str, node: ast.stmt) -> None:
        if top in self._packages:
            self._names[name] = top
            self.imports.setdefault(top, self._place(node))

    def _place(self, node: ast.stmt | ast.expr) -> _Place:
        return self._path, node.lineno, ".".join(self._scope) or "<module>"


def _frame(place: _Place) -> Frame:
    path, line, function = place
    source = linecache.getline(path, line).strip()
    return Frame(path=path, line=line, function=function, is_first_party=True, source=source)
