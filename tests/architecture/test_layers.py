"""Holds the pure layers to their law: values in, values out.

import-linter keeps the layers apart; what it cannot say is which parts of the standard library a
layer may know. An allow-list, so that a new import is a decision.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pytest_stateless

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(pytest_stateless.__file__).parent

PURE = (
    "errors.py",
    "explore",
    "guest/sandbox/plan.py",
    "judge",
    "model",
    "report",
    "wire",
)

# Modules whole, or `module.name` where only that name is pure. What is imported for annotations
# alone, under TYPE_CHECKING, is free.
ALLOWED = frozenset({
    "__future__",
    "abc",
    "ast",
    "base64",
    "bisect",
    "collections",
    "collections.abc",
    "dataclasses",
    "datetime.UTC",
    "datetime.datetime.fromtimestamp",
    "difflib",
    "enum",
    "errno",
    "fnmatch",
    "fractions",
    "functools",
    "heapq",
    "html",
    "itertools",
    "json",
    "keyword",
    "math",
    "operator",
    "os.fspath",
    "os.path.commonpath",
    "os.strerror",
    "pathlib.PurePath",
    "pathlib.PurePosixPath",
    "posixpath",
    "re",
    "shlex",
    "signal.Signals",
    "statistics",
    "string",
    "struct",
    "textwrap",
    "types",
    "typing",
    "unicodedata",
    "urllib.parse",
    "zlib",
})

# Functions that read or write without an import.
FORBIDDEN_CALLS = frozenset({"__import__", "breakpoint", "eval", "exec", "input", "open", "print"})


def pure_files() -> Iterator[Path]:
    for name in PURE:
        path = PACKAGE / name
        yield from sorted(path.rglob("*.py")) if path.is_dir() else filter(Path.exists, [path])


def is_type_checking(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )


def run_time_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node of the tree but those that only a type checker reads."""
    for node in ast.iter_child_nodes(tree):
        if not is_type_checking(node):
            yield node
            yield from run_time_nodes(node)


def imports(tree: ast.AST) -> Iterator[str]:
    """What the module uses of others when it runs, as `module` or `module.name`."""
    for node in run_time_nodes(tree):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    yield from uses(tree, alias)
            case ast.ImportFrom(module=str(module), names=names):
                yield from (f"{module}.{alias.name}" for alias in names)
            case _:
                pass


def uses(tree: ast.AST, imported: ast.alias) -> Iterator[str]:
    """What is used of a module that was imported whole; the module itself where it is pure."""
    if imported.name in ALLOWED:
        yield imported.name
        return
    name = imported.asname or imported.name
    chains = [ast.unparse(node) for node in run_time_nodes(tree) if isinstance(node, ast.Attribute)]
    used = [chain for chain in chains if chain.startswith(f"{name}.")]
    longest = {chain for chain in used if not any(o.startswith(f"{chain}.") for o in used)}
    yield from sorted(imported.name + chain.removeprefix(name) for chain in longest)
    if not used:
        yield imported.name


def is_allowed(imported: str) -> bool:
    module = imported.rpartition(".")[0]
    own = imported.split(".", maxsplit=1)[0] == "pytest_stateless"
    return own or imported in ALLOWED or module in ALLOWED


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


each_pure_file = pytest.mark.parametrize(
    "path", tuple(pure_files()), ids=lambda path: str(path.relative_to(PACKAGE))
)


@each_pure_file
def test_a_pure_layer_imports_only_what_is_pure(path: Path) -> None:
    assert [name for name in imports(parse(path)) if not is_allowed(name)] == []


@each_pure_file
def test_a_pure_layer_neither_reads_nor_writes(path: Path) -> None:
    called = {
        node.func.id
        for node in run_time_nodes(parse(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert called & FORBIDDEN_CALLS == set()


def test_the_allow_list_refuses_what_is_not_on_it() -> None:
    source = """
import os
import json
from os import path
from pathlib import Path, PurePath
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import socket
def later():
    from time import monotonic
    os.strerror(os.getpid()), os.environ.get("HOME")
"""
    refused = [name for name in imports(ast.parse(source)) if not is_allowed(name)]
    assert refused == [
        "os.environ.get",
        "os.getpid",
        "os.path",
        "pathlib.Path",
        "time.monotonic",
    ]
