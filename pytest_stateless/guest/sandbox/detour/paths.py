"""Functions that take paths: called with the place on the host that the app's path stands for.

An error names the path that the app has given. What takes two paths knows that the app's `/tmp`
is a filesystem of its own: between it and the rest nothing is moved or linked.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING, Any

from pytest_stateless.guest.sandbox.detour.guard import refuse
from pytest_stateless.guest.sandbox.detour.quota import PAGE_BYTES
from pytest_stateless.guest.sandbox.detour.session import SESSION, Passing
from pytest_stateless.guest.sandbox.detour.view import exists, given

if TYPE_CHECKING:
    from collections.abc import Callable

Function = Any  # a function of `os`, whose signature is passed through
_ST_RDONLY = getattr(os, "ST_RDONLY", 1)


def of_target(original: Function, path: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
    """Call a function that follows a link, unless it is told not to."""
    follows = kwargs.get("follow_symlinks", True)
    located = SESSION.locate(path, kwargs.get("dir_fd"), follows=follows)
    return _call(original, located, path, args, kwargs)


def of_name(original: Function, path: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
    """Call a function that takes a link as it is."""
    located = SESSION.locate(path, kwargs.get("dir_fd"), follows=False)
    return _call(original, located, path, args, kwargs)


def of_optional(original: Function, path: Any = ".", *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
    """Call a function whose path may be left out, for the working directory."""
    return of_target(original, "." if path is None else path, *args, **kwargs)


def make_node(original: Function, path: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
    """Stand in for `os.mkfifo` and `os.mknod`, which raise no audit event.

    Args:
        original: The function itself.
        path: Its first argument.
        args: The others.
        kwargs: Those by name.

    Returns:
        What it gives.

    Raises:
        OSError: As the function, or EROFS.
    """
    folder = kwargs.get("dir_fd")
    located = SESSION.locate(path, folder, follows=False)
    guard = SESSION.guard
    if located is None and guard is not None:
        guard.check_new(guard.kernel_path(path, folder, follows=False), path)
    return _call(original, located, path, args, kwargs)


def access(original: Function, path: Any, mode: int, **kwargs: Any) -> bool:  # noqa: ANN401
    """Stand in for `os.access`: what is read-only for the app cannot be written."""
    follows = kwargs.get("follow_symlinks", True)
    folder = kwargs.pop("dir_fd", None)
    guard = SESSION.guard
    located = SESSION.locate(path, folder, follows=follows)
    if located is None and mode & os.W_OK and guard is not None:
        kernel_path = guard.kernel_path(path, folder, follows=follows)
        if guard.is_read_only(kernel_path):
            return False
    if located is None:
        return bool(original(path, mode, dir_fd=folder, **kwargs))
    return bool(original(located, mode, **kwargs))


def chdir(original: Function, path: Any) -> None:  # noqa: ANN401
    """Stand in for `os.chdir`."""
    _call(original, SESSION.locate(path), path, (), {})


def getcwd(original: Function) -> str:
    """Stand in for `os.getcwd`."""
    path: str = original()
    return SESSION.view.shown(path) if SESSION.view is not None else path


def getcwdb(original: Function) -> bytes:
    """Stand in for `os.getcwdb`."""
    return os.fsencode(getcwd(lambda: os.fsdecode(original())))


def readlink(original: Function, path: Any, **kwargs: Any) -> Any:  # noqa: ANN401
    """Stand in for `os.readlink`: a link into the private folder is one into `/tmp`."""
    target = of_name(original, path, **kwargs)
    if SESSION.view is None:
        return target
    shown = SESSION.view.shown(os.fsdecode(target))
    return os.fsencode(shown) if isinstance(target, bytes) else shown


def symlink(original: Function, source: Any, path: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
    """Stand in for `os.symlink`: a link to a place in `/tmp` leads to the private folder.

    Args:
        original: The function itself.
        source: What the link says.
        path: The link.
        args: The other arguments.
        kwargs: Those by name.

    Raises:
        OSError: As the function.
    """
    view = SESSION.view
    text = os.fsdecode(source)
    stored = source
    if view is not None and view.outside_name(text) != text:
        stored = view.outside_name(text)
    located = SESSION.locate(path, kwargs.get("dir_fd"), follows=False)
    if located is None and stored is source:
        original(source, path, *args, **kwargs)
        return
    if located is not None:
        kwargs.pop("dir_fd", None)
    try:
        original(stored, path if located is None else located, *args, **kwargs)
    except OSError as error:
        error.filename, error.filename2 = given(source), given(path)
        raise


def link(original: Function, source: Any, path: Any, **kwargs: Any) -> None:  # noqa: ANN401
    """Stand in for `os.link`."""
    _call_with_two("os.link", original, source, path, kwargs)


def rename(original: Function, source: Any, path: Any, **kwargs: Any) -> None:  # noqa: ANN401
    """Stand in for `os.rename` and `os.replace`."""
    _call_with_two("os.rename", original, source, path, kwargs)


def statvfs(original: Function, path: Any) -> os.statvfs_result:  # noqa: ANN401
    """Stand in for `os.statvfs`: `/tmp` has its size, and what cannot be written says so."""
    view, guard, quota = SESSION.view, SESSION.guard, SESSION.quota
    located = SESSION.locate(path)
    status = original(path if located is None else located)
    if guard is None:
        return status  # type: ignore[no-any-return] # it is one
    kernel_path = guard.kernel_path(path if located is None else located)
    if view is not None and quota is not None and view.is_tmp(view.shown(kernel_path)):
        blocks, free = -(-quota.size_bytes // PAGE_BYTES), quota.free_bytes() // PAGE_BYTES
        return _changed(status, PAGE_BYTES, PAGE_BYTES, blocks, free, free)
    if guard.is_read_only(kernel_path):
        return _changed(status, *status[:8], status.f_flag | _ST_RDONLY)
    return status  # type: ignore[no-any-return] # it is one


def _changed(status: Any, *first: int) -> os.statvfs_result:  # noqa: ANN401 (it is built anew)
    values = (*first, *status[len(first) : 10])
    return os.statvfs_result((*values, status.f_fsid))


def _call(  # noqa: PLR0917 (a call, taken apart)
    original: Function,
    located: str | None,
    path: Any,  # noqa: ANN401 (as the app has given it)
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:  # noqa: ANN401
    if located is None:
        return original(path, *args, **kwargs)
    kwargs.pop("dir_fd", None)
    try:
        return original(
            os.fsencode(located) if isinstance(path, bytes) else located, *args, **kwargs
        )
    except OSError as error:
        error.filename = given(path)
        raise


def _call_with_two(  # noqa: PLR0917 (as above)
    event: str,
    original: Callable[..., None],
    source: Any,  # noqa: ANN401 (as the app has given it)
    path: Any,  # noqa: ANN401
    kwargs: dict[str, Any],
) -> None:
    from_place = SESSION.locate(source, kwargs.get("src_dir_fd"), follows=False)
    to_place = SESSION.locate(path, kwargs.get("dst_dir_fd"), follows=False)
    if from_place is None and to_place is None:
        original(source, path, **kwargs)
        return
    _check_filesystems(event, (source, from_place), (path, to_place), kwargs)
    try:
        original(
            source if from_place is None else from_place, path if to_place is None else to_place
        )
    except OSError as error:
        error.filename, error.filename2 = given(source), given(path)
        raise


def _check_filesystems(
    event: str,
    source: tuple[Any, str | None],
    path: tuple[Any, str | None],
    kwargs: dict[str, Any],
) -> None:
    """Refuse what crosses the border of `/tmp`."""
    guard = SESSION.guard
    if guard is None:
        return
    folders = (kwargs.get("src_dir_fd"), kwargs.get("dst_dir_fd"))
    (name, place), (new_name, new_place) = source, path
    place = place or guard.kernel_path(name, folders[0], follows=False)
    new_place = new_place or guard.kernel_path(new_name, folders[1], follows=False)
    if guard.home_of(place) == guard.home_of(new_place) or not exists(place):
        return
    with Passing():  # an observer is told what the app has asked for
        sys.audit(event, name, new_name, -1, -1)
    is_link = event == "os.link"
    number = errno.EROFS if is_link and guard.is_read_only(new_place) else errno.EXDEV
    refuse(given(name), given(new_name), number=number)
