"""Every message that crosses a process boundary, one class each.

Messages are frozen dataclasses of plain values and of values of `model`. A field named `blob`
carries raw bytes beside the structured fields. Which side sends what:

    host → zygote       Preload, Fork, Signal
    zygote → host       Ready or Unavailable; Measured and Preloaded
    host → instance     Begin; Start; then Serve + RequestBody..., Invoke or Call; Disconnect
    instance → host     Sealed or SealFailed; Learnt; Started or StartFailed; then for each
                        request ResponseStart, ResponseBody..., Returned, Raised, Measured and
                        Done; Log, Warned and Stuck at any time
    zygote → exit pipe  Exited
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pytest_stateless.model.coverage_order import CoverageOrder
from pytest_stateless.model.exchange import LogRecord
from pytest_stateless.model.first_party import FirstParty
from pytest_stateless.model.observation import Observations
from pytest_stateless.model.place import Frame
from pytest_stateless.wire.cloud import AwsRoute

# host → instance


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """All that an instance needs to become what the test wants; a later one takes its place.

    Sent ahead, so that a spare instance has little left to do. Not answered.

    Attributes:
        app: The app reference as text, empty for an instance that only runs functions.
        setup: Reference of a function to run after the app's import, or empty.
        environ: The whole environment.
        sys_path: The module search path.
        cwd: The working directory.
        argv: `sys.argv`.
        first_party: What counts as the user's code.
        memory_bytes: What the platform gives, for Lambda's context and variables.
        sends_exceptions: Whether exceptions of the app travel as objects.
        coverage: What coverage.py shall measure, if it measures the test process.
        has_disk: Whether it has a disk of its own, where writes are discarded with it.
    """

    app: str
    setup: str
    environ: dict[str, str]
    sys_path: tuple[str, ...]
    cwd: str
    argv: tuple[str, ...]
    first_party: FirstParty
    memory_bytes: int
    sends_exceptions: bool = False
    coverage: CoverageOrder | None = None
    has_disk: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Import the app and get it ready; answered by `Started` or `StartFailed`.

    Requests may follow without waiting for the answer.

    Attributes:
        changed: Variables of the environment that are not as in `Begin` any more.
        removed: Names of those that are not set any more.
        log_levels: Logger name (empty: root) and the level that the test has set on it.
        is_learning: Whether to report what was imported, for `Preload`.
        wants_place: Whether to find out where the app is defined.
        aws: Where its AWS calls are answered, if not by HTTP.
    """

    changed: dict[str, str] = field(default_factory=dict)
    removed: tuple[str, ...] = ()
    log_levels: dict[str, int] = field(default_factory=dict)
    is_learning: bool = False
    wants_place: bool = False
    aws: AwsRoute | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Serve:
    """An HTTP request; `RequestBody` messages follow until one is the last.

    Attributes:
        number: Of the exchange.
        request_id: A fresh UUID, the platform's request id.
        method: Upper case.
        scheme: `http` or `https`.
        host: Of the URL.
        port: Of the URL, or the scheme's default.
        raw_path: Path as sent, percent-encoded, without the query.
        query: Raw query string, without `?`.
        headers: Names (as sent) and values, latin-1.
        timeout_s: Seconds until the platform gives up.
        log_levels: As in `Start`, as the test has them now.
    """

    number: int
    request_id: str
    method: str
    scheme: str
    host: str
    port: int
    raw_path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    timeout_s: float
    log_levels: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestBody:
    """A piece of the request body.

    Attributes:
        blob: The bytes.
        is_last: Whether the body ends here.
    """

    blob: bytes
    is_last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoke:
    """A Lambda event; answered by `Returned` (JSON).

    Attributes:
        number: Of the exchange.
        request_id: The context's `aws_request_id`.
        blob: The event as JSON.
        context: Attributes of the context object that the caller overrides, as JSON.
        timeout_s: Seconds until the platform gives up.
        log_levels: As in `Start`.
    """

    number: int
    request_id: str
    blob: bytes
    context: str
    timeout_s: float
    log_levels: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A function to run; answered by `Returned` (pickle).

    Attributes:
        number: Of the exchange.
        blob: A pickle of `(function, args, kwargs)`; empty if the instance has inherited them.
        timeout_s: Seconds until the platform gives up.
        log_levels: As in `Start`.
    """

    number: int
    blob: bytes
    timeout_s: float
    log_levels: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnect:
    """The client is gone before the response was complete."""


# instance → host


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """The instance is sealed and has proved it; it waits for `Begin` and `Start`.

    Attributes:
        replaced: Paths of files that the test process has open for writing, which an instance
            that was forked from it can only read.
    """

    replaced: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SealFailed:
    """The instance could not be sealed; it ends.

    Attributes:
        operation: The operation of the plan.
        syscall: The system call that failed.
        errno: Its error number.
    """

    operation: str
    syscall: str
    errno: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The app is imported and ready.

    Attributes:
        kind: Its calling convention; empty if there is no app.
        sources: First-party source files that were compiled here, worth keeping compiled.
        app_place: Where the app is defined, if that was wanted and is known.
    """

    kind: Literal["wsgi", "asgi", "lambda", ""]
    sources: tuple[str, ...] = ()
    app_place: Frame | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StartFailed:
    """The app did not become ready; the instance ends.

    Attributes:
        step: What failed, such as `import of shop.app`, `lifespan startup`, `stateless_setup`.
        error: The last line of the traceback.
        traceback: The traceback cut to the user's frames.
        is_usage: Whether the reference itself is wrong (no such module, attribute, not callable).
        observations: What was seen on the way.
        blob: The pickled exception, where exceptions travel; else empty.
    """

    step: str
    error: str
    traceback: str
    is_usage: bool
    observations: Observations
    blob: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """What importing the app imported; sent before `Started` by a learning instance.

    Attributes:
        modules: Third-party and standard modules in the order of their import.
        refused: Those among them that wrote files or started threads at import.
        sources: First-party source files.
    """

    modules: tuple[str, ...]
    refused: tuple[str, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseStart:
    """Status and headers.

    Attributes:
        status: The code.
        headers: Names and values, latin-1.
    """

    status: int
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseBody:
    """A piece of the response body.

    Attributes:
        blob: The bytes.
    """

    blob: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """The result of an event (JSON) or of a function (pickle).

    Attributes:
        blob: The encoded result.
    """

    blob: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """The app, the handler or the function raised.

    Attributes:
        error: The last line of the traceback, such as `ValueError: no sku`.
        traceback: The traceback cut to the user's frames.
        is_convention: Whether the app broke its calling convention, rather than raised.
        blob: The pickled exception with its traceback, where exceptions travel; else empty.
    """

    error: str
    traceback: str
    is_convention: bool = False
    blob: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """The time for the answer is nearly over, and this is what an event loop waits for.

    Attributes:
        stack: Frames of the coroutine that the request is in, innermost first.
    """

    stack: tuple[Frame, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """A log record.

    Attributes:
        record: Its content.
    """

    record: LogRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """A warning.

    Attributes:
        text: Its message.
        category: `module.qualname` of its class and of its bases, nearest first.
        path: The file that it is attributed to.
        line: 1-based line number there.
    """

    text: str
    category: tuple[str, ...]
    path: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The response is complete and the instance has looked around; it waits for more.

    Attributes:
        handling_s: Seconds from having the whole request to the last byte of the response.
        observations: What was seen.
        sources: First-party source files that were compiled meanwhile, worth keeping compiled.
        modules: Third-party and standard modules that were imported meanwhile.
    """

    handling_s: float
    observations: Observations
    sources: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
