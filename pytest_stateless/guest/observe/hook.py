"""The process-wide taps: an audit hook, a `sys.monitoring` tool, wraps where there is no event.

None of them can be taken away from a running process in a way that all threads notice, so they
are put in once and ask for the *active* observer each time. What an observer does while it
looks at an event (opening a source file, say) is no event of the app's: each tap is deaf in a
thread that is inside one. Whatever goes wrong in here stays here.
"""

from __future__ import annotations

import functools
import importlib
import sys
import threading
from _thread import get_ident
from typing import TYPE_CHECKING, Any, Protocol

from pytest_stateless.guest.observe.attempts import EVENTS, TEMPORARY, WRITE_FLAGS
from pytest_stateless.guest.observe.origins import stands_in
from pytest_stateless.guest.observe.reads import CODE

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from types import CodeType, FrameType

TOOL_IDS = (3, 4, 5, 2)
"""`sys.monitoring` tools to try: the two free ones first; debuggers and coverage keep theirs."""
_CONNECT = "sqlite3.connect"
_THREAD_EVENTS = frozenset({"_thread.start_new_thread", "_thread.start_joinable_thread"})
_PROCESS_EVENTS = frozenset({
    "subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system",
})  # fmt: skip
_UNSEEN_EVENTS = frozenset({"os.exec", "ctypes.dlopen"})
"""What may write where no audit event tells of it, and is no start of a process."""
_SQLITE = "_sqlite3"
_SPAWNERS = frozenset({"multiprocessing.popen_spawn_posix", "multiprocessing.popen_forkserver"})
_WATCHED_IMPORTS = _SPAWNERS | {_SQLITE}
_ALL_EVENTS = EVENTS | {_CONNECT, "import"} | _THREAD_EVENTS | _PROCESS_EVENTS | _UNSEEN_EVENTS
_WRITING = WRITE_FLAGS | TEMPORARY


class Listener(Protocol):
    """What the taps tell of."""

    def on_read(self, path: object) -> None:
        """A file is opened for reading."""

    def on_change(self, event: str, args: tuple[object, ...], frame: FrameType) -> None:
        """An audit event of `attempts.EVENTS`."""

    def on_connect(self, database: object, frame: FrameType) -> None:
        """A database is about to be connected to."""

    def on_connected(self, connection: sqlite3.Connection) -> None:
        """A database has been connected to."""

    def on_thread(self, target: object, args: object, frame: FrameType) -> None:
        """A thread is started: a bound method of it, or a bare function."""

    def on_process(self, event: str, args: tuple[object, ...], frame: FrameType) -> None:
        """A process is started."""

    def on_unseen(self, event: str, args: tuple[object, ...], frame: FrameType) -> None:
        """A program takes this one's place, or a library of C code is loaded."""

    def on_raise(self, error: BaseException, frame: FrameType) -> None:
        """An exception is raised, or passes a frame."""

    def is_interesting(self, error: BaseException) -> bool:
        """Tell, as fast as can be, whether an exception is worth `on_raise`."""


class _Taps:
    """The state of the taps in this process."""

    __slots__ = ("active", "busy", "has_monitoring", "is_installed")

    def __init__(self) -> None:
        self.active: Listener | None = None
        self.busy: set[int] = set()
        self.has_monitoring = False
        self.is_installed = False


TAPS = _Taps()


def install() -> None:
    """Put the taps in, once per process."""
    if TAPS.is_installed:
        return
    TAPS.is_installed = True
    sys.addaudithook(_on_audit)
    if hasattr(sys, "monitoring"):
        TAPS.has_monitoring = _watch_raises()
    else:
        _wrap_thread_start()
    wrap_loaded()


def wrap_loaded() -> None:
    """Wrap what has no audit event of use, in the modules that are loaded.

    `sqlite3.connect/handle` comes too early: the connection refuses every call until it is
    fully made (`connection.c` of CPython 3.11 to 3.13). The start methods `spawn` and
    `forkserver` of multiprocessing have none.
    """
    if not _SPAWNERS.isdisjoint(sys.modules):
        _wrap_process_start()
    for name in (_SQLITE, "sqlite3.dbapi2", "sqlite3"):
        module = sys.modules.get(name)
        original = getattr(module, "connect", None)
        if module is not None and original is not None and not hasattr(original, "__code__"):
            module.connect = _telling(original)  # type: ignore[attr-defined]


def _on_import(listener: Listener, module: str, frame: FrameType) -> None:
    """Come between `_sqlite3` and those who copy `connect` from it; see a process be spawned."""
    if module == _SQLITE:
        importlib.import_module(_SQLITE)
    else:
        listener.on_process("multiprocessing", (), frame)
    wrap_loaded()


def _wrap_process_start() -> None:
    kind = sys.modules["multiprocessing.process"].BaseProcess
    original = kind.start
    if original.__code__.co_filename == __file__:
        return

    @functools.wraps(original)
    def start(self: object) -> None:
        listener = TAPS.active
        if listener is not None:
            frame = sys._getframe(1)  # noqa: SLF001 (the documented way)
            guarded(lambda: listener.on_process("multiprocessing", (), frame))
        original(self)

    kind.start = start


def _telling(original: Callable[..., sqlite3.Connection]) -> Callable[..., sqlite3.Connection]:
    @functools.wraps(original)
    def connect(*args: object, **kwargs: object) -> sqlite3.Connection:
        connection = original(*args, **kwargs)
        listener = TAPS.active
        if listener is not None:
            guarded(lambda: listener.on_connected(connection))
        return connection

    return connect


def guarded(action: Callable[[], None]) -> None:
    """Run something of ours, deaf to its own events, its errors swallowed.

    Args:
        action: What to run; skipped if this thread is inside a tap already.
    """
    ident = get_ident()
    if ident in TAPS.busy:
        return
    TAPS.busy.add(ident)
    try:
        action()
    except Exception:  # noqa: BLE001, S110 (an observer that fails must not be noticed)
        pass
    finally:
        TAPS.busy.discard(ident)


class Deaf:
    """A context in which this thread's events are our own."""

    __slots__ = ("_ident", "_was_busy")

    def __enter__(self) -> None:
        self._ident = get_ident()
        self._was_busy = self._ident in TAPS.busy
        TAPS.busy.add(self._ident)

    def __exit__(self, *exc: object) -> None:
        if not self._was_busy:
            TAPS.busy.discard(self._ident)


def _on_audit(event: str, args: tuple[object, ...]) -> None:
    if event not in _ALL_EVENTS:
        return
    listener = TAPS.active
    if listener is None or _is_import(event, args):
        return
    ident = get_ident()
    if ident in TAPS.busy:
        return
    TAPS.busy.add(ident)
    try:
        frame = sys._getframe(1)  # noqa: SLF001 (the documented way)
        while stands_in(frame.f_code) and frame.f_back is not None:
            frame = frame.f_back  # one of our wraps, or a detour, stands between
        _dispatch(listener, event, args, frame)
    except Exception:  # noqa: BLE001, S110 (an observer that fails must not be noticed)
        pass
    finally:
        TAPS.busy.discard(ident)


def _is_import(event: str, args: tuple[object, ...]) -> bool:
    """Tell, fast, whether an event is the import system's daily work."""
    if event == "open":
        path, _, flags = args
        if type(path) is not str or not path.endswith(CODE):
            return False
        return not (isinstance(flags, int) and flags & _WRITING)
    return event == "import" and args[0] not in _WATCHED_IMPORTS


def _dispatch(listener: Listener, event: str, args: tuple[object, ...], frame: FrameType) -> None:
    if event == "open" and not (isinstance(args[2], int) and args[2] & _WRITING):
        listener.on_read(args[0])
    elif event in EVENTS:
        listener.on_change(event, args, frame)
    elif event == _CONNECT:
        listener.on_connect(args[0], frame)
    elif event == "import":
        _on_import(listener, str(args[0]), frame)
    elif event in _THREAD_EVENTS:
        listener.on_thread(args[0], args[1], frame)
    elif event in _UNSEEN_EVENTS:
        listener.on_unseen(event, args, frame)
    else:
        listener.on_process(event, args, frame)


def _on_raise(_code: CodeType, _offset: int, error: BaseException) -> None:
    listener = TAPS.active
    if listener is None or get_ident() in TAPS.busy:
        return
    try:
        if not listener.is_interesting(error):
            return
        frame = sys._getframe(1)  # noqa: SLF001 (the documented way)
    except Exception:  # noqa: BLE001 (an observer that fails must not be noticed)
        return
    guarded(lambda: listener.on_raise(error, frame))


def _watch_raises() -> bool:
    monitoring: Any = sys.monitoring  # type: ignore[attr-defined]  # Python 3.12 and later
    tool = next((number for number in TOOL_IDS if monitoring.get_tool(number) is None), None)
    if tool is None:
        return False
    monitoring.use_tool_id(tool, "pytest-stateless")
    monitoring.register_callback(tool, monitoring.events.RAISE, _on_raise)
    monitoring.set_events(tool, monitoring.events.RAISE)
    return True


def _wrap_thread_start() -> None:
    """Stand in for the audit event that Python 3.11 does not have."""
    original = threading.Thread.start

    def start(self: threading.Thread) -> None:
        listener = TAPS.active
        if listener is not None:
            frame = sys._getframe(1)  # noqa: SLF001 (the documented way)
            bootstrap = getattr(self, "_bootstrap", None)
            guarded(lambda: listener.on_thread(bootstrap, (), frame))
        original(self)

    start.__doc__ = original.__doc__
    threading.Thread.start = start  # type: ignore[method-assign]
