"""One app and the requests it serves: start, serve, look around, report.

The same object serves in an instance and, when nothing is enforced, in the test process; all that
it says goes out as messages through `emit`.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, assert_never

from pytest_stateless.errors import AdapterError, ColdStartError, InternalError
from pytest_stateless.guest import sealing
from pytest_stateless.guest.adapter.choose import make_adapter
from pytest_stateless.guest.adapter.function import run_function
from pytest_stateless.guest.adapter.load import adopt_app, load_app, load_function
from pytest_stateless.guest.adapter.refusal import plain_server_error
from pytest_stateless.guest.inherited import Inheritance
from pytest_stateless.guest.learning import Learner, imported_since
from pytest_stateless.guest.observe.coverage_run import CoverageRun, ready_run
from pytest_stateless.guest.observe.exception_blob import pickle_exception
from pytest_stateless.guest.observe.observer import Observer
from pytest_stateless.guest.observe.output import LogForwarder, WarningForwarder
from pytest_stateless.guest.observe.tracebacks import cut_traceback, last_line
from pytest_stateless.guest.stack import StackReader
from pytest_stateless.model.app_reference import parse_app_reference
from pytest_stateless.model.observation import Observations
from pytest_stateless.wire.messages import (
    Call,
    Done,
    Invoke,
    Log,
    Raised,
    ResponseBody,
    ResponseStart,
    Returned,
    Serve,
    Started,
    StartFailed,
    Stuck,
    Warned,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pytest_stateless.guest.adapter.contract import Adapter
    from pytest_stateless.guest.adapter.load import LoadedApp
    from pytest_stateless.model.exchange import LogRecord
    from pytest_stateless.model.observation import Survivor
    from pytest_stateless.model.place import Frame
    from pytest_stateless.wire.message import Message
    from pytest_stateless.wire.messages import Begin, Start

Request = Serve | Invoke | Call
FIRST_SERVER_ERROR = 500
_NOTHING = Inheritance()


class Server:
    """Starts an app and serves requests with it, one at a time.

    Args:
        begin: What to become.
        emit: Where messages go.
        channel_fd: A descriptor that becomes readable when the client disconnects, or None.
        is_disconnected: Tells, without waiting, whether the client is gone.
        is_sealed: Whether this process is sealed, so that what it does is to be observed.
        inheritance: What it serves of what is in this process's memory already.
    """

    def __init__(  # noqa: PLR0913 (what differs between the places where an app is served)
        self,
        begin: Begin,
        emit: Callable[[Message], None],
        *,
        channel_fd: int | None = None,
        is_disconnected: Callable[[], bool] = lambda: False,
        is_sealed: bool = True,
        inheritance: Inheritance = _NOTHING,
    ) -> None:
        self.emit = emit
        self.channel_fd = channel_fd
        self.is_disconnected = is_disconnected
        self.sends_exceptions = begin.sends_exceptions
        self.stack = StackReader(begin.first_party)
        self.observer = (
            _observer(begin, self.stack, inheritance.resident_bytes) if is_sealed else None
        )
        self.compiled: list[str] = []
        self.asked: Mapping[str, None] = {}
        self.tells_modules = is_sealed
        """Whether somebody imports ahead for instances like this one."""
        self._begin = begin
        self._inheritance = inheritance
        self._module_count = 0
        self._step = "app reference"
        self._adapter: Adapter | None = None
        self._loaded: LoadedApp | None = None
        self._logs = LogForwarder(self._forward_log) if is_sealed else None
        self._warnings = WarningForwarder(self._forward_warning) if is_sealed else None
        order = begin.coverage if is_sealed else None
        self._coverage = ready_run(order)
        if order is not None and self._coverage is None:
            self._coverage = CoverageRun(order)

    def listen(self) -> None:
        """Put the taps into this process: all that can be done before the app is imported."""
        if self.observer is not None and self._logs is not None and self._warnings is not None:
            self.observer.install()
            self._logs.install()
            self._warnings.install()
        if self._coverage is not None:
            self._coverage.start()

    def leave(self) -> None:
        """Take out what another server would put in a second time."""
        if self._logs is not None and self._warnings is not None:
            self._logs.remove()
            self._warnings.remove()
        if self._coverage is not None:
            self._coverage.stop()

    def start(self, start: Start) -> bool:
        """Import the app and get it ready.

        Args:
            start: What else the host wants of it.

        Returns:
            Whether it is ready; if not, the reason has been sent.
        """
        if self.observer is not None and self._logs is not None:
            self.observer.begin("start")
            self._logs.apply_levels(start.log_levels)
        learner = Learner(self._begin.first_party, self.asked) if start.is_learning else None
        try:
            self._make_ready(wants_place=start.wants_place)
        except BaseException as error:  # noqa: BLE001 (an app may raise anything, SystemExit too)
            self._flush()
            self._end_with(self._start_failed(error))
            return False
        if learner is not None:
            self.emit(learner.finish())
        self._flush()
        self._module_count = len(sys.modules)
        loaded = self._loaded
        self.emit(
            Started(
                kind=loaded.kind if loaded is not None else "",
                sources=self._take_compiled(),
                app_place=loaded.place if loaded is not None else None,
            )
        )
        return True

    def _make_ready(self, *, wants_place: bool) -> None:
        begin = self._begin
        if self._inheritance.app is not None:
            self._step = f"look at {self._inheritance.name}"
            self._loaded = adopt_app(self._inheritance.app, self._inheritance.name)
        elif begin.app:
            reference = parse_app_reference(begin.app)
            self._step = f"import of {reference.text}"
            self._loaded = load_app(reference, self.stack, wants_place=wants_place)
        if begin.setup:
            self._step = f"stateless_setup {begin.setup}"
            load_function(begin.setup)()
        if self._loaded is not None:
            self._step = "start of the app"
            self._adapter = make_adapter(self._loaded, self.stack)
            self._adapter.start()
        if self._logs is not None:
            # again: an app's logging.config replaces the handlers of the root logger
            self._logs.install()

    def _start_failed(self, error: BaseException) -> StartFailed:
        is_usage = isinstance(error, AdapterError)
        is_plain = is_usage or isinstance(error, ColdStartError)
        if self.observer is not None:
            self.observer.note_exception(error)
        return StartFailed(
            step=self._step,
            error=str(error) if is_plain else last_line(error),
            traceback=self._cut_start(error, is_plain=is_plain),
            is_usage=is_usage,
            observations=self._observations(),
            blob=pickle_exception(error) if self.sends_exceptions else b"",
        )

    def _cut_start(self, error: BaseException, *, is_plain: bool) -> str:
        # our own wording of a failed lifespan has the app's exception as its cause
        shown = error.__cause__ if is_plain else error
        return cut_traceback(shown, self.stack) if shown is not None else ""

    def handle(self, request: Request, chunks: tuple[bytes, ...] = ()) -> None:
        """Serve one request and send everything about it, `Done` last.

        Args:
            request: Its head.
            chunks: The body of an HTTP request, in pieces.

        Raises:
            InternalError: A request came for an app that this server does not have.
        """
        if self._logs is not None and self.observer is not None:
            self._logs.apply_levels(request.log_levels)
            self._logs.take_exception()
            # what the start saw belongs to the first request
            self.observer.begin("request")
        answer = _Answer(self)
        try:
            self._dispatch(request, chunks, answer)
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 (an app's own)
            answer.raised(error)
            answer.make_up(request, error)
        answer.finish(self._logs.take_exception() if self._logs is not None else None)
        self._flush()
        self._end_with(
            Done(
                handling_s=answer.handling_s,
                observations=self._observations(answer.survivors),
                sources=self._take_compiled(),
                modules=self._take_modules(),
            )
        )

    def _end_with(self, message: Done | StartFailed) -> None:
        """Send the last message of a start or a request, and before it which lines ran."""
        measured = self._coverage.take() if self._coverage is not None else None
        if measured is not None:
            self.emit(measured)
        self.emit(message)

    def _dispatch(self, request: Request, chunks: tuple[bytes, ...], answer: _Answer) -> None:
        if isinstance(request, Call):
            run_function(request, answer, self._inheritance.function)
            return
        if self._adapter is None:
            raise InternalError("a request came for an instance without an app")
        match request:
            case Serve():
                self._adapter.serve(request, chunks, answer)
            case Invoke():
                self._adapter.invoke(request, answer)
            case _:
                assert_never(request)

    def close(self) -> None:
        """Let go of what the adapter holds, where the process goes on."""
        close = getattr(self._adapter, "close", None)
        if close is not None:
            close()

    def _observations(self, survivors: Iterable[Survivor] = ()) -> Observations:
        if self.observer is None:
            return Observations()
        for survivor in survivors:
            self.observer.observe_survivor(survivor)
        return self.observer.finish()

    def _take_modules(self) -> tuple[str, ...]:
        count, self._module_count = self._module_count, len(sys.modules)
        if count >= self._module_count or not self.tells_modules:
            return ()
        return imported_since(count, self._begin.first_party, self.asked)[0]

    def _take_compiled(self) -> tuple[str, ...]:
        taken = tuple(self.compiled)
        self.compiled.clear()
        return taken

    def _forward_log(self, record: LogRecord) -> None:
        self.emit(Log(record=record))

    def _forward_warning(self, text: str, category: tuple[str, ...], path: str, line: int) -> None:
        self.emit(Warned(text=text, category=category, path=path, line=line))

    @staticmethod
    def _flush() -> None:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()


def _observer(begin: Begin, stack: StackReader, inherited_bytes: int) -> Observer:
    isolation = sealing.active_isolation()
    is_kernel_refusal = sealing.is_kernel_refusal if isolation == "landlock" else None
    return Observer(
        stack,
        isolation=isolation,
        is_kernel_refusal=is_kernel_refusal,
        has_disk=begin.has_disk,
        inherited_bytes=inherited_bytes,
    )


class _Answer:
    """The sink of one request: turns what the adapter says into messages."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._started = time.monotonic()
        self._status = 0
        self._has_raised = False
        self.handling_s = -1.0
        self.survivors: list[Survivor] = []

    @property
    def channel_fd(self) -> int | None:
        return self._server.channel_fd

    def is_disconnected(self) -> bool:
        return self._server.is_disconnected()

    def start(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        self._status = status
        self._server.emit(ResponseStart(status=status, headers=tuple(headers)))

    def body(self, data: bytes) -> None:
        self._server.emit(ResponseBody(blob=data))

    def returned(self, blob: bytes) -> None:
        self._server.emit(Returned(blob=blob))

    def raised(self, error: BaseException) -> None:
        server = self._server
        self._has_raised = True
        is_convention = isinstance(error, AdapterError)
        if server.observer is not None:
            server.observer.note_exception(error)
        server.emit(
            Raised(
                error=str(error) if is_convention else last_line(error),
                traceback=cut_traceback(error, server.stack),
                is_convention=is_convention,
                blob=pickle_exception(error) if server.sends_exceptions else b"",
            )
        )

    def complete(self) -> None:
        if self.handling_s < 0:
            self.handling_s = time.monotonic() - self._started

    def stuck(self, stack: tuple[Frame, ...]) -> None:
        self._server.emit(Stuck(stack=stack))

    def survived(self, survivor: Survivor) -> None:
        self.survivors.append(survivor)

    def make_up(self, request: Request, error: BaseException) -> None:
        """Answer for an app that left without an answer, by `SystemExit` for one."""
        if isinstance(request, Serve) and not self._status:
            plain_server_error(request.method, self)
        elif isinstance(request, Invoke):
            described = {"errorMessage": str(error), "errorType": type(error).__name__}
            self.returned(json.dumps(described | {"requestId": request.request_id}).encode())

    def finish(self, logged: BaseException | None) -> None:
        """Close the answer; an exception that the app logged with a 5xx counts as raised."""
        self.complete()
        if logged is None:
            return
        if self._status >= FIRST_SERVER_ERROR and not self._has_raised:
            self.raised(logged)
        elif self._server.observer is not None:
            self._server.observer.note_exception(logged)
