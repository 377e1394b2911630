"""Listing folders: entries of the private folder by the names that the app knows them by."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pytest_stateless.guest.sandbox.detour.session import SESSION
from pytest_stateless.guest.sandbox.detour.view import given

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self


class Entry:
    """What `os.DirEntry` is, but for its path.

    Args:
        entry: The entry itself.
        path: The path that the app knows it by.
    """

    __slots__ = ("_entry", "name", "path")

    def __init__(self, entry: os.DirEntry[Any], path: Any) -> None:  # noqa: ANN401 (text or bytes)
        self._entry = entry
        self.name = entry.name
        self.path = path

    def __fspath__(self) -> Any:  # noqa: ANN401 (text or bytes)
        return self.path

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (is_dir, is_file, stat, ...)
        return getattr(self._entry, name)

    def __repr__(self) -> str:
        return f"<DirEntry {self.name!r}>"


class Entries:
    """What `os.scandir` returns.

    Args:
        entries: The iterator itself.
        folder: The folder as the app has named it.
    """

    __slots__ = ("_entries", "_folder")

    def __init__(self, entries: Any, folder: Any) -> None:  # noqa: ANN401 (os keeps its type to itself)
        self._entries = entries
        self._folder = folder

    def __iter__(self) -> Iterator[Entry]:
        return self

    def __next__(self) -> Entry:
        entry = next(self._entries)
        return Entry(entry, os.path.join(self._folder, entry.name))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listing."""
        self._entries.close()


def scandir(original: Any, path: Any = ".") -> Any:  # noqa: ANN401 (as `os.scandir`)
    """Stand in for `os.scandir`.

    Args:
        original: The function itself.
        path: The folder; None for the working directory.

    Returns:
        An iterator.

    Raises:
        OSError: As the function.
    """
    path = "." if path is None else path
    located = SESSION.locate(path)
    if located is None:
        return original(path)
    folder = os.fspath(path)
    try:
        entries = original(os.fsencode(located) if isinstance(folder, bytes) else located)
    except OSError as error:
        error.filename = given(path)
        raise
    return Entries(entries, folder)
