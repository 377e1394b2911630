"""Other ways to name a file: sockets, programs, shared memory."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

from pytest_stateless.guest.sandbox.detour.guard import refuse
from pytest_stateless.guest.sandbox.detour.session import SESSION

if TYPE_CHECKING:
    from collections.abc import Callable

Function = Any  # a function of the interpreter, whose signature is passed through


def socket_method(original: Callable[..., Any]) -> Callable[..., Any]:
    """Make a method that takes the address of a socket as its last argument.

    Args:
        original: `bind`, `connect` or `connect_ex` of a socket.

    Returns:
        What stands in for it.
    """

    def method(self: Any, *args: Any) -> Any:  # noqa: ANN401 (as a socket's)
        address = args[-1] if args else None
        if SESSION.view is not None and isinstance(address, (str, bytes)):
            located = SESSION.locate(address) if address[:1] not in {"\0", b"\0"} else None
            if located is not None:
                args = (*args[:-1], located)
        return original(self, *args)

    method.__name__ = method.__qualname__ = getattr(original, "__name__", "")
    method.__doc__ = original.__doc__
    return method


def popen(original: Callable[..., None]) -> Callable[..., None]:
    """Make the initialiser of `subprocess.Popen`: a program knows `/tmp` by its other name.

    Source: the signature in https://docs.python.org/3/library/subprocess.html#popen-constructor
    """  # noqa: DOC201 (the summary says it)
    cwd_position = 9

    def __init__(self: Any, args: Any, *more: Any, **kwargs: Any) -> None:  # noqa: ANN401, N807
        view = SESSION.view
        if view is not None and SESSION.quota is not None:
            SESSION.quota.distrust()
            if isinstance(args, (list, tuple)):
                args = [_for_program(word) for word in args]
            if kwargs.get("cwd") is not None:
                kwargs["cwd"] = _for_program(kwargs["cwd"])
            elif len(more) >= cwd_position and more[cwd_position - 1] is not None:
                cwd = _for_program(more[cwd_position - 1])
                more = (*more[: cwd_position - 1], cwd, *more[cwd_position:])
            if kwargs.get("executable") is not None:
                kwargs["executable"] = _for_program(kwargs["executable"])
        original(self, args, *more, **kwargs)

    __init__.__doc__ = original.__doc__
    return __init__


def _for_program(word: Any) -> Any:  # noqa: ANN401 (an argument of any kind)
    view = SESSION.view
    try:
        text = os.fsdecode(word)
    except TypeError:
        return word
    name = text if view is None else view.outside_name(text)
    if name == text:
        return word
    return os.fsencode(name) if isinstance(word, bytes) else name


def shm_open(original: Function, path: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
    """Stand in for `_posixshmem.shm_open`: there is no shared memory to write."""
    flags = kwargs.get("flags", args[0] if args else 0)
    if SESSION.guard is not None and flags & os.O_CREAT:
        refuse(path)
    return original(path, *args, **kwargs)


def semaphore(original: Function, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
    """Stand in for `_multiprocessing.SemLock`, which makes a file in shared memory."""
    if SESSION.guard is not None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))
    return original(*args, **kwargs)
