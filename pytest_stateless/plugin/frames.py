"""Taking frames that are not the user's out of the tracebacks that pytest shows.

Between the user's line and what went wrong lie the client's frames and ours. They say nothing to
the user, and go; but where the fault is our own, all of it is shown.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_stateless import errors

if TYPE_CHECKING:
    from types import TracebackType

_PACKAGE = Path(errors.__file__).resolve().parent
_OURS = f"{_PACKAGE}/"
_PLUGIN = f"{_PACKAGE}/plugin/"
_GUEST = f"{_PACKAGE}/guest/"
_STANDARD = f"{Path(os.__file__).parent}/"


def cut(error: BaseException) -> None:
    """Take our own frames and the client's out of a traceback and of those chained to it.

    Args:
        error: What a test or a fixture failed with.
    """
    pending: list[BaseException | None] = [error]
    seen: set[int] = set()
    while pending:
        one = pending.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, errors.StatelessError):
            _unlink_causes(one)
        _cut_one(one)
        _cut_notes(one)
        pending += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            pending += one.exceptions


def _unlink_causes(error: errors.StatelessError) -> None:
    """Drop how we came to notice what our message says, unless it happened in the user's code."""
    cause = error.__cause__ or error.__context__
    if cause is None or isinstance(error, errors.InternalError):
        return
    if all(name.startswith((_OURS, _STANDARD)) for name in map(_file_of, _frames(cause))):
        error.__cause__ = None
        error.__suppress_context__ = True


def _cut_one(error: BaseException) -> None:
    frames = _frames(error)
    if not frames or _is_our_fault(error, _file_of(frames[-1])):
        return
    kept = _kept(frames)
    for one, following in zip(kept, [*kept[1:], None], strict=True):
        one.tb_next = following
    error.__traceback__ = kept[0] if kept else None


def _cut_notes(error: BaseException) -> None:
    """Take lines of ours out of Hypothesis's explanation, which names what only failures ran."""
    notes: list[str] = getattr(error, "__notes__", [])
    kept = [note for note in notes if not note.strip().startswith(_OURS)]
    if len(kept) < len(notes):
        while kept and kept[-1].endswith(":"):  # a heading of which nothing is left
            del kept[-1]
        notes[:] = kept


def _is_our_fault(error: BaseException, innermost: str) -> bool:
    if isinstance(error, errors.StatelessError):
        return isinstance(error, (errors.InternalError, errors.ProtocolError))
    # what an instance runs for the user, a builtin function say, may have no frame of its own
    is_ours = _is_engine(innermost) and not innermost.startswith(_GUEST)
    return is_ours and isinstance(error, Exception) and not isinstance(error, Warning)


def _kept(frames: list[TracebackType]) -> list[TracebackType]:
    """Keep what is before the first and behind the last frame between user and app."""
    names = list(map(_file_of, frames))
    gone = {number for number, name in enumerate(names) if name.startswith(_PLUGIN)}
    if any(map(_is_engine, names)):
        client = _client_folder()
        between = [
            number
            for number, name in enumerate(names)
            if _is_engine(name) or (client and name.startswith(client))
        ]
        gone.update(range(between[0], between[-1] + 1))
    return [frame for number, frame in enumerate(frames) if number not in gone]


def _is_engine(name: str) -> bool:
    return name.startswith(_OURS) and not name.startswith(_PLUGIN)


def _client_folder() -> str:
    client = sys.modules.get("httpx2")
    path = getattr(client, "__file__", None)
    return f"{Path(path).parent}/" if path else ""


def _frames(error: BaseException) -> list[TracebackType]:
    frames: list[TracebackType] = []
    traceback = error.__traceback__
    while traceback is not None:
        frames.append(traceback)
        traceback = traceback.tb_next
    return frames


def _file_of(frame: TracebackType) -> str:
    return frame.tb_frame.f_code.co_filename
