"""One request's way through an instance, from the choice of the instance to its end."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, assert_never

from pytest_stateless.errors import (
    AdapterError,
    ColdStartError,
    ConfigurationError,
    InternalError,
    ProtocolError,
    SandboxSetupError,
    SandboxUnavailableError,
)
from pytest_stateless.guest.observe.exception_blob import unpickle_exception
from pytest_stateless.instance.fleet import COLD_START_TIMEOUT_S
from pytest_stateless.instance.handle import DeadlinePassed, InstanceGone
from pytest_stateless.judge.limits import judge_payload
from pytest_stateless.report import crash
from pytest_stateless.report.finding import format_findings, format_headline
from pytest_stateless.session import relay
from pytest_stateless.session.autopsy import Autopsy
from pytest_stateless.wire.measured import Measured
from pytest_stateless.wire.messages import (
    Disconnect,
    Done,
    Log,
    Raised,
    ResponseBody,
    ResponseStart,
    Returned,
    SealFailed,
    Serve,
    Started,
    StartFailed,
    Stuck,
    Warned,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import NoReturn

    from pytest_stateless.instance.handle import InstanceHandle, Steps
    from pytest_stateless.model.finding import Finding
    from pytest_stateless.model.place import Frame
    from pytest_stateless.session.ledger import Entry
    from pytest_stateless.session.platform import Platform
    from pytest_stateless.wire.message import Message
    from pytest_stateless.wire.messages import Begin, Call, Invoke

_ERROR_PREFIX = len("E       ")
"""What pytest writes before each line of an exception's text."""
_UNWIND_TIMEOUT_S = 5.0
_OF_A_DISK = ("hold copy", "replace root")
"""How the operations are described that only a disk of an instance's own needs."""


class Conversation:
    """One exchange with one instance; every method that waits is a `Steps`.

    Args:
        platform: Where instances come from.
        entry: The exchange, in the ledger.
        with_app: Whether the instance must have the app.
        function: A function of this process that the instance is to run; it is forked from it.
    """

    def __init__(
        self,
        platform: Platform,
        entry: Entry,
        *,
        with_app: bool = True,
        function: Callable[[], object] | None = None,
    ) -> None:
        self._platform = platform
        self._entry = entry
        self._exchange = entry.exchange
        self._with_app = with_app
        self._function = function
        self._handle: InstanceHandle | None = None
        self._deadline = 0.0
        self.patience_s: float | None = None
        """How long the client waits for the next piece of an answer, in seconds."""
        self._pending: BaseException | None = None
        self._stuck: tuple[Frame, ...] = ()
        self._sent_bytes = 0

    # the way through

    def open(self, request: Serve | Invoke | Call, chunks: tuple[bytes, ...] = ()) -> Steps[None]:
        """Choose an instance, start it if need be, and hand the request over.

        Args:
            request: The head.
            chunks: The body of an HTTP request.

        Raises:
            ColdStartError: The app did not become ready.
            ConfigurationError: The app reference is wrong.
            SandboxUnavailableError: This machine refuses the disk that the settings ask for.
            SandboxSetupError: The instance could not be sealed.
            InstanceDiedError: It ended meanwhile.
            RequestTimeoutError: It took too long.
        """
        started = time.monotonic()
        handle = warm = self._platform.take_warm() if self._function is None else None
        if handle is None:
            handle = self._platform.instance(self._function)
        self._handle = handle
        self._platform.ledger.seat(self._entry, handle.number, handle.recipe.seal.isolation)
        if warm is None:
            yield from self._cold_start(handle, relay.messages_of(request, chunks))
            self._exchange.is_cold = True
            self._exchange.cold_start_s = time.monotonic() - started
        else:
            for message in relay.messages_of(request, chunks):
                handle.post(message)
        self._deadline = time.monotonic() + request.timeout_s

    def await_start(self) -> Steps[ResponseStart]:
        """Wait for status and headers.

        Returns:
            They.

        Raises:
            Exception: What the app raised, if the settings say so.
            AdapterError: The app broke its calling convention.
            InstanceDiedError: The instance ended.
            RequestTimeoutError: It took too long.
            InternalError: The adapter sent no response.
        """
        while True:
            message = yield from self._next()
            if isinstance(message, ResponseStart):
                self._exchange.status = message.status
                return message
            if isinstance(message, Done):
                self._complete(message)
                self._raise_pending()
                raise InternalError(f"{self._title}: the adapter sent no response")

    def next_chunk(self) -> Steps[bytes | None]:
        """Wait for the next piece of the body.

        Returns:
            The piece, or None at the end.

        Raises:
            Exception: What the app raised, if the settings say so.
            AdapterError: The app broke its calling convention.
            InstanceDiedError: The instance ended.
            RequestTimeoutError: It took too long.
        """
        while not self._exchange.is_complete:
            message = yield from self._next()
            if isinstance(message, ResponseBody):
                self._sent_bytes += len(message.blob)
                return message.blob
            if isinstance(message, Done):
                self._complete(message)
                self._raise_pending()
        return None

    def await_result(self) -> Steps[bytes]:
        """Wait for the result of an event or a function.

        Returns:
            The encoded result.

        Raises:
            Exception: What the function raised, or the handler, if the settings say so.
            AdapterError: The handler broke its calling convention.
            InstanceDiedError: The instance ended.
            RequestTimeoutError: It took too long.
            InternalError: The adapter sent no result.
        """
        result: bytes | None = None
        while True:
            message = yield from self._next()
            if isinstance(message, Returned):
                result = message.blob
                self._sent_bytes = len(result)
            elif isinstance(message, Done):
                self._complete(message)
                self._raise_pending()
                if result is None:
                    raise InternalError(f"{self._title}: the adapter sent no result")
                return result

    def abandon(self) -> Steps[None]:
        """Hang up before the response is complete; the app sees a disconnect and unwinds."""
        if self._exchange.is_complete or self._handle is None:
            return
        self._handle.post(Disconnect())
        self.patience_s = _UNWIND_TIMEOUT_S
        try:
            while not isinstance(message := (yield from self._next()), Done):
                pass
            self._complete(message)
        except DeadlinePassed:  # it does not look whether its client is there
            pass
        finally:
            self.drop()

    def drop(self) -> None:
        """End the instance at once, if it is still ours; for a request that was cancelled."""
        if self._handle is not None:
            relay.relay_output(self._handle.output)
            self._platform.fleet.retire(self._handle)
            self._handle = None

    # its parts

    @property
    def _title(self) -> str:
        return self._entry.context.request

    def _cold_start(self, handle: InstanceHandle, requests: Iterable[Message]) -> Steps[None]:
        begin = self._platform.begin(with_app=self._with_app)
        gone: InstanceGone | None = None
        answer: Started | StartFailed | SealFailed | None = None
        try:
            answer = yield from self._platform.fleet.begin(
                handle, begin, self._platform.start(), self._notice, requests=requests
            )
        except InstanceGone as error:
            gone = error
        except DeadlinePassed:
            pass
        if gone is not None:
            raise (yield from self._autopsy().death(gone, step="its cold start"))
        relay.relay_output(handle.output)
        match answer:
            case Started():
                self._platform.note_replaced(handle.replaced)
                self._remember(handle, begin, sources=answer.sources)
            case SealFailed():
                self.drop()
                _fail_seal(answer)
            case StartFailed():
                self.drop()
                self._fail_start(answer)
            case None:
                raise (yield from self._autopsy().timeout(COLD_START_TIMEOUT_S))
            case _:
                assert_never(answer)

    def _remember(
        self,
        handle: InstanceHandle,
        begin: Begin,
        *,
        sources: tuple[str, ...],
        modules: tuple[str, ...] = (),
    ) -> None:
        if handle.recipe.start != "snapshot":  # whose own process has it, not the zygote
            isolation = handle.recipe.seal.isolation
            self._platform.fleet.remember(begin, isolation, sources=sources, modules=modules)

    def _fail_start(self, failed: StartFailed) -> NoReturn:
        if failed.is_usage:
            raise ConfigurationError(failed.error)
        self._exchange.observations = failed.observations
        self._exchange.exception = failed.traceback
        self._entry.context = dataclasses.replace(self._entry.context, has_started=False)
        app = self._platform.app_name
        first = self._platform.note_failed_start((app, failed.step, failed.error))
        findings = self._entry.judge(frozenset(failed.observations.reads))
        self._exchange.findings = findings
        refusals = [write.error for write in failed.observations.writes if write.error]
        if findings and any(refusal in failed.traceback for refusal in refusals):
            width = self._platform.surroundings.width - _ERROR_PREFIX
            text = format_findings(findings, width)
            if first:
                text = f"{format_headline(findings[0])} (in full: {first})"
            raise ColdStartError(text, findings)
        if first:
            text = crash.format_cold_start_repeat(app, error=failed.error, first_test=first)
        else:
            text = crash.format_cold_start_failure(
                app,
                step=failed.step,
                error=failed.error,
                traceback=failed.traceback,
                request=self._title,
            )
        raise ColdStartError(text)

    def _next(self) -> Steps[ResponseStart | ResponseBody | Returned | Done]:
        while True:
            message = yield from self._receive()
            match message:
                case ResponseStart() | ResponseBody() | Returned() | Done():
                    return message
                case Raised():
                    self._note_raised(message)
                case _:
                    self._notice(message)

    def _receive(self) -> Steps[Message]:
        assert self._handle is not None  # noqa: S101 (callers look before)
        gone: InstanceGone | None = None
        deadline = self._deadline
        if self.patience_s is not None:
            deadline = min(deadline, time.monotonic() + self.patience_s)
        try:
            return (yield from self._handle.next_message(deadline))
        except InstanceGone as error:
            gone = error
        except DeadlinePassed:
            if deadline < self._deadline:
                raise
        # outside of the handlers: how we noticed is no context of what happened
        if gone is not None:
            raise (yield from self._autopsy().death(gone))
        raise (yield from self._autopsy().timeout(self._platform.settings.platform.timeout_s))

    def _autopsy(self) -> Autopsy:
        handle, self._handle = self._handle, None
        assert handle is not None  # noqa: S101 (it has just ended)
        return Autopsy(self._platform, self._entry, handle, stuck=self._stuck)

    def _notice(self, message: Message) -> None:
        match message:
            case Log():
                self._exchange.log_records.append(message.record)
                relay.relay_log(message.record)
            case Warned():
                relay.relay_warning(message)
            case Stuck():
                self._stuck = message.stack
            case Measured():
                self._platform.coverage.merge(message)
            case _:
                raise ProtocolError(f"an instance does not send {type(message).__name__}")

    def _note_raised(self, raised: Raised) -> None:
        self._exchange.exception = raised.traceback or raised.error
        if raised.is_convention:
            self._pending = AdapterError(
                f"{self._title}: {self._platform.app_name or 'the function'} broke its calling "
                f"convention: {raised.error}"
            )
        elif raised.blob:
            self._pending = unpickle_exception(raised.blob)

    def _raise_pending(self) -> None:
        if self._pending is not None:
            pending, self._pending = self._pending, None
            raise pending

    def _complete(self, done: Done) -> None:
        self._exchange.handling_s = done.handling_s
        place = self._platform.app_place
        self._exchange.observations = dataclasses.replace(done.observations, app_place=place)
        self._exchange.is_complete = True
        handle, self._handle = self._handle, None
        if handle is None:
            return
        self._note_limit(
            judge_payload("response", self._sent_bytes, context=self._entry.context, place=place)
        )
        self._exchange.findings = self._entry.judge(frozenset(done.observations.reads))
        handle.collect_output()
        relay.relay_output(handle.output)
        if done.sources or done.modules:
            begin = self._platform.begin(with_app=self._with_app)
            self._remember(handle, begin, sources=done.sources, modules=done.modules)
        self._platform.release(handle)

    def _note_limit(self, finding: Finding | None) -> None:
        if finding is not None:
            self._entry.limits.append(finding)


def _fail_seal(failed: SealFailed) -> NoReturn:
    error = SandboxSetupError(failed.operation, failed.syscall, failed.errno)
    if failed.operation.startswith(_OF_A_DISK):
        raise SandboxUnavailableError(
            f"stateless_writes = 'discard' cannot be had on this machine: {error}; "
            "with 'refuse' an instance needs no disk of its own"
        ) from error
    raise error
