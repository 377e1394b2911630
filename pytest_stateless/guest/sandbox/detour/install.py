"""Putting the detours in, once per process, and turning them on.

They are put in before anything else is imported that could copy a function (`from os import
stat`); who has copied one already is found by looking through the modules that are loaded. What
keeps the functions of the module `posix` takes few detours: it finds the host's `/tmp`, and its
writes are refused. The import system, which does, has a hook for that.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import importlib
import io
import os
import socket
import subprocess
import sys
from types import FunctionType
from typing import TYPE_CHECKING, Any

from pytest_stateless.guest.sandbox.detour import (
    entries,
    files,
    guard,
    imports,
    others,
    paths,
    real,
    sqlite,
)
from pytest_stateless.guest.sandbox.detour.quota import Quota
from pytest_stateless.guest.sandbox.detour.session import SESSION
from pytest_stateless.guest.sandbox.detour.view import View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import ModuleType

_OF_OS: Mapping[Callable[..., Any], tuple[str, ...]] = {
    paths.of_target: (
        "stat", "truncate", "chmod", "chown", "utime", "getxattr", "setxattr", "removexattr",
        "pathconf",
    ),
    paths.of_optional: ("listdir", "listxattr"),
    paths.of_name: ("lstat", "mkdir", "rmdir", "remove", "unlink", "lchown"),
    paths.make_node: ("mkfifo", "mknod"),
    paths.rename: ("rename", "replace"),
    paths.access: ("access",),
    paths.chdir: ("chdir",),
    paths.getcwd: ("getcwd",),
    paths.getcwdb: ("getcwdb",),
    paths.readlink: ("readlink",),
    paths.symlink: ("symlink",),
    paths.link: ("link",),
    paths.statvfs: ("statvfs", "fstatvfs"),
    entries.scandir: ("scandir",),
    files.open_descriptor: ("open",),
    files.write: ("write",),
    files.pwrite: ("pwrite",),
    files.writev: ("writev", "pwritev"),
    files.sendfile: ("sendfile",),
    files.copy_file_range: ("copy_file_range",),
    files.close: ("close",),
    files.duplicate: ("dup", "dup2"),
}  # fmt: skip
_IN_POSIX = ("open", "mkfifo", "mknod")
"""What tells an audit hook too little, or nothing: detoured in `posix` too."""
_SUPPORTS = (
    "supports_dir_fd", "supports_fd", "supports_follow_symlinks", "supports_effective_ids",
)  # fmt: skip
_OF_C_MODULES = (
    ("_sqlite3", "connect", sqlite.connect),
    ("_posixshmem", "shm_open", others.shm_open),
    ("_multiprocessing", "SemLock", others.semaphore),
)
_KEEP = frozenset({"posix", "nt", "_io", "_pyio", "importlib._bootstrap_external"})
_HIDING = frozenset({"glob", "tempfile"})
"""Modules of the standard library whose classes keep functions of `os`."""
_OWN_PACKAGE = "pytest_stateless.guest.sandbox.detour"


class Detour:
    """What stands in for a function, and is no more a method than a function of C is.

    Args:
        original: The function.
        handler: What is called instead, the function first, once something is sealed.
    """

    def __init__(self, original: Callable[..., Any], handler: Callable[..., Any]) -> None:
        functools.update_wrapper(self, original)
        self._original = original
        self._handler = handler

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401, D102 (as the function)
        if SESSION.guard is None:
            return self._original(*args, **kwargs)
        try:
            return self._handler(self._original, *args, **kwargs)
        except OSError as error:
            # as from the function itself, which has no frames
            raise error.with_traceback(None)  # noqa: B904 (it is the same one)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (what a class has in the function's place)
        return getattr(self.__dict__["_original"], name)

    def __repr__(self) -> str:
        return repr(self._original)


_DETOURS: dict[int, Detour] = {}
"""By the `id` of the function, which lives as long as its detour."""


def prepare() -> None:
    """Put the detours in, if they are not; they do nothing yet."""
    if _DETOURS:
        return
    for handler, names in _OF_OS.items():
        for name in names:
            _put(os, name, handler)
    _put(builtins, "open", files.open_file)
    _put(io, "open", files.open_file)
    _put_in_posix()
    for module, name, handler in _OF_C_MODULES:
        with contextlib.suppress(ImportError):  # not every interpreter has them
            _put(importlib.import_module(module), name, handler)
    for name in ("bind", "connect", "connect_ex"):
        setattr(socket.socket, name, others.socket_method(getattr(socket.socket, name)))
    subprocess.Popen.__init__ = others.popen(subprocess.Popen.__init__)  # type: ignore[method-assign]
    for name, loaded in list(sys.modules.items()):
        if name not in _KEEP and not name.startswith(_OWN_PACKAGE):
            _replace_copies(loaded)


def _put(module: ModuleType, name: str, handler: Callable[..., Any]) -> None:
    original = getattr(module, name, None)
    if original is None or isinstance(original, Detour):
        return
    known = _DETOURS.get(id(original))
    if known is None:
        known = _DETOURS[id(original)] = Detour(original, handler)
    setattr(module, name, known)


def _put_in_posix() -> None:
    posix = sys.modules.get("posix")
    for name in _IN_POSIX:
        if hasattr(posix, name):
            setattr(posix, name, getattr(os, name))
    for name in _SUPPORTS:
        supported: set[Any] = getattr(os, name, set())
        supported |= {_DETOURS[id(one)] for one in supported if id(one) in _DETOURS}


def _replace_copies(module: ModuleType) -> None:
    """Replace the names that a module has copied."""
    values = getattr(module, "__dict__", {})
    for key, value in list(values.items()):
        if id(value) in _DETOURS:
            values[key] = _DETOURS[id(value)]
        # by its type: a lazy object, such as Django's settings, is not to be asked for anything
        elif issubclass(type(value), type) and value.__module__ in _HIDING:
            _replace_hidden_copies(value)


def _replace_hidden_copies(kind: type) -> None:
    """Replace static methods, and arguments of methods that are functions unless given."""
    for name, value in list(vars(kind).items()):
        if isinstance(value, staticmethod) and id(value.__func__) in _DETOURS:
            setattr(kind, name, staticmethod(_DETOURS[id(value.__func__)]))
        elif isinstance(value, FunctionType) and value.__defaults__:
            defaults = tuple(_DETOURS.get(id(one), one) for one in value.__defaults__)
            value.__defaults__ = defaults


def guard_writes(writable: Iterable[str], devices: Iterable[str] = ()) -> None:
    """Refuse writes in this process from now on; its `/tmp` is the host's, and read-only.

    Args:
        writable: Folders that stay writable, absolute and without links.
        devices: Files that do.
    """
    prepare()
    if not SESSION.has_hook:
        SESSION.has_hook = True
        sys.addaudithook(guard.on_audit)
    SESSION.guard = guard.Guard(writable, devices)


def _make_folders(path: str) -> None:
    try:
        real.mkdir(path)
    except FileExistsError:
        return
    except FileNotFoundError:
        _make_folders(os.path.dirname(path))
        real.mkdir(path)


def stop() -> None:
    """Refuse nothing for now."""
    SESSION.guard = None


def guard_signals() -> None:
    """Refuse signals to processes that this one has not started, from now on."""
    SESSION.guards_signals = True


def show_tmp(
    private: str, size_bytes: int, visible: tuple[str, ...], writable: tuple[str, ...]
) -> None:
    """Have Python code find a private folder at `/tmp`, once writes are guarded.

    Args:
        private: The folder, absolute and without links; empty.
        size_bytes: How much of it Python code can fill.
        visible: Folders that stay visible as they are if they lie below `/tmp`.
        writable: Folders of service paths, likewise.
    """
    view = View(private, (*visible, *writable))
    for island in (*visible, *writable):
        folder, name = os.path.split(island)
        if view.is_tmp(folder):  # else a larger island has it
            _make_folders(f"{view.located(folder)}/{name}")
    SESSION.quota = Quota(private, size_bytes)
    SESSION.kernel = View()
    SESSION.view = view
    imports.follow_view()
