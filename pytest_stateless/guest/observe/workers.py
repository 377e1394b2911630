"""What the stack of a running thread says: a pool's work in hand, or idleness.

Idle is a thread whose frames are all those of a worker loop of the standard library or of a
framework, waiting for work. A thread with no frame beyond `threading`'s own runs a function
written in C (`time.sleep`, say), which is not idle.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_stateless.guest.observe.origins import STDLIB

if TYPE_CHECKING:
    from types import FrameType

_THREADING = STDLIB + "threading.py"
_POOL = STDLIB + os.path.join("concurrent", "futures", "thread.py")
_BOOTSTRAP = frozenset({"Thread._bootstrap", "Thread._bootstrap_inner", "Thread.run"})
_LOOPS = tuple(
    STDLIB + name
    for name in (
        "threading.py",
        "queue.py",
        "selectors.py",
        "socketserver.py",
        "concurrent/futures/",
        "asyncio/",
        "logging/handlers.py",
        "multiprocessing/",
    )
)
_FRAMEWORK_LOOPS = ("/anyio/", "/asgiref/", "/litestar/", "/starlette/", "/uvicorn/")


@dataclass(frozen=True, slots=True)
class Work:
    """What a pool's worker has in hand.

    Attributes:
        item: Identifies it while it runs; 0 where it still waits in the queue.
        function: What it calls; None where unknown.
        args: What it calls it with.
    """

    item: int
    function: object = None
    args: tuple[object, ...] = ()


def frames_of(frame: FrameType | None) -> tuple[FrameType, ...]:
    """Return a thread's frames, innermost first."""
    found: list[FrameType] = []
    while frame is not None:
        found.append(frame)
        frame = frame.f_back
    return tuple(found)


def is_pool_worker(frames: tuple[FrameType, ...]) -> bool:
    """Tell whether a thread is one of a `ThreadPoolExecutor`."""
    return any(_is_at(frame, _POOL, "_worker") for frame in frames)


def work_of(frames: tuple[FrameType, ...]) -> Work | None:
    """Tell what a pool's worker, or anyio's, does.

    Args:
        frames: Of the thread, innermost first.

    Returns:
        The work that runs or is about to; None for an idle one.
    """
    for frame in reversed(frames):
        if _is_at(frame, _POOL, "_WorkItem.run"):
            return _work_item(frame, frames[: frames.index(frame)])
    for frame in frames:
        if _is_at(frame, _POOL, "_worker"):
            queue = frame.f_locals.get("work_queue")
            is_waiting = queue is not None and queue.qsize() > 0
            return Work(0) if is_waiting else None
    return None


def is_idle(frames: tuple[FrameType, ...]) -> bool:
    """Tell whether a thread that is no pool's waits for work."""
    inner = [f for f in frames if not _is_bootstrap(f)]
    if not inner:
        return False
    if _is_framework(inner[0]) and inner[0].f_code.co_name == "run":
        return _is_done(inner[0].f_locals.get("future"))
    return all(f.f_code.co_filename.startswith(_LOOPS) or _is_framework(f) for f in inner)


def has_ended(frames: tuple[FrameType, ...]) -> bool:
    """Tell whether a thread is past its target and only takes its leave."""
    names = {f.f_code.co_qualname for f in frames}
    return bool(frames) and names <= {
        "Thread._bootstrap",
        "Thread._bootstrap_inner",
        "Thread._delete",
    }


def _work_item(frame: FrameType, inner: tuple[FrameType, ...]) -> Work | None:
    """Return the work of a pool's item, unless its result is out and only the pool goes on."""
    item = frame.f_locals.get("self")
    if item is None:  # it lets go of itself when it has failed
        return None
    if _is_done(item.future) and all(_is_standard(f) for f in inner):
        return None
    if hasattr(item, "task"):  # from Python 3.14 on
        function, args, _ = item.task
    else:
        function, args = item.fn, item.args
    return Work(id(item), function, args)


def _is_done(future: object) -> bool:
    done = getattr(future, "done", None)
    return callable(done) and bool(done())


def _is_at(frame: FrameType, filename: str, qualname: str) -> bool:
    code = frame.f_code
    return code.co_filename == filename and code.co_qualname == qualname


def _is_standard(frame: FrameType) -> bool:
    filename = frame.f_code.co_filename
    return filename.startswith(STDLIB) and "-packages/" not in filename


def _is_bootstrap(frame: FrameType) -> bool:
    code = frame.f_code
    return code.co_filename == _THREADING and code.co_qualname in _BOOTSTRAP


def _is_framework(frame: FrameType) -> bool:
    filename = frame.f_code.co_filename
    return "-packages/" in filename and any(part in filename for part in _FRAMEWORK_LOOPS)
