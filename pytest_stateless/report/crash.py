"""Texts for when an instance, or what starts it, did not do its part.

The first line says what happened and to which request; then the evidence; then what to try.
"""

from __future__ import annotations

from dataclasses import dataclass
from signal import Signals
from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_stateless.model.quantity import format_duration, format_size
from pytest_stateless.report.mask import mask

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_stateless.errors import SandboxSetupError

_SHOWN_LINES = 12
_SHOWN_THREADS = 3
_SIGNAL_MASK = 0x7F
_OWN_PROCESS = "--no-stateless serves every request in pytest's own process"

_MEANINGS: Mapping[str, tuple[str, str]] = MappingProxyType({
    "SIGSEGV": (
        "it used memory that is not its own",
        "a C extension crashed: run the test with --no-stateless and python -X faulthandler",
    ),
    "SIGBUS": (
        "it used mapped memory that has no file or no space behind it",
        "a mapped file was cut, or /tmp is full: look for mmap and shared memory",
    ),
    "SIGABRT": (
        "it gave up by abort()",
        "a C library or the interpreter saw a fatal error: the lines above say which",
    ),
    "SIGFPE": (
        "a C extension divided by zero",
        "run the test with --no-stateless and python -X faulthandler",
    ),
    "SIGILL": (
        "it ran an instruction that this processor does not know",
        "a compiled package was built for another processor: install it anew",
    ),
    "SIGKILL": (
        "something killed it, such as the kernel when memory is short",
        "see dmesg for 'Out of memory', and lower the memory that the request needs",
    ),
    "SIGTERM": (
        "something asked it to end",
        "look for os.kill and for a process manager in the app",
    ),
    "SIGPIPE": (
        "it wrote to a closed pipe or socket",
        "the app restored the default action of SIGPIPE: leave it ignored",
    ),
    "SIGSYS": (
        "it made a system call that is not allowed",
        "run the test with --no-stateless to see which",
    ),
    "SIGXCPU": ("it used up its processor time", "look for an endless loop"),
    "SIGALRM": ("its alarm rang and nobody handled it", "look for signal.alarm in the app"),
})


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """An instance that ended before its answer was complete.

    Attributes:
        request: The request, such as `POST /thumb (request 2, instance 2)`.
        status: As of waitpid(2).
        stderr: The last lines that it wrote to stderr.
        step: What it was at, such as `the import of shop.app`; empty while it served.
    """

    request: str
    status: int
    stderr: tuple[str, ...] = ()
    step: str = ""


def format_death(crash: Crash) -> str:
    """Say that an instance died, by a signal or by an exit.

    Args:
        crash: What is known.

    Returns:
        The text.
    """
    number = crash.status & _SIGNAL_MASK
    during = f" during {crash.step}" if crash.step else " before it had answered"
    if not number:
        code = crash.status >> 8
        return _assemble(
            f"{crash.request}: the instance ended with exit status {code}{during}",
            _show_stderr(crash.stderr),
            "os._exit or a C library's exit() ends an instance at once; raise an exception or "
            "answer instead",
        )
    meaning, advice = _explain_signal(number)
    return _assemble(
        f"{crash.request}: the instance died of {name_signal(number)}{during}: {meaning}",
        _show_stderr(crash.stderr),
        advice,
    )


def name_signal(number: int) -> str:
    """Return the name of a signal, such as `SIGSEGV`, or `signal 35` if it has none."""
    try:
        return Signals(number).name
    except ValueError:
        return f"signal {number}"


def format_memory_kill(crash: Crash, *, limit_bytes: int, peak_bytes: int = 0) -> str:
    """Say that an instance was killed for its memory.

    Args:
        crash: What is known.
        limit_bytes: What the platform gives.
        peak_bytes: The largest use that was seen; 0 where unknown.

    Returns:
        The text.
    """
    seen = f" (at least {format_size(peak_bytes)} used)" if peak_bytes else ""
    return _assemble(
        f"{crash.request}: the instance was killed for its memory: "
        f"over {format_size(limit_bytes)}{seen}",
        _show_stderr(crash.stderr),
        "stream instead of holding all at once, or give it more: "
        "@pytest.mark.stateless(memory='2 GB')",
    )


def format_timeout(
    request: str,
    *,
    timeout_s: float,
    platform: str,
    stack: str = "",
    missing_threads: Sequence[str] = (),
) -> str:
    """Say that a request took too long.

    Args:
        request: The request.
        timeout_s: The limit, in seconds.
        platform: Name of the platform.
        stack: Where the instance hung, as text; empty where unknown.
        missing_threads: Names of threads of the test process, which a fork of it does not have.

    Returns:
        The text.
    """
    where = ["it was at work here:", *_indent(stack.splitlines())] if stack.strip() else []
    if missing_threads:
        where.append(
            f"it is a fork of the test process and lacks its other threads "
            f"({', '.join(missing_threads[:_SHOWN_THREADS])}): what waits for one of them, such as "
            "a thread pool that was used before, waits for ever"
        )
    return _assemble(
        f"{request}: no answer within {format_duration(timeout_s)}, the limit of {platform}; "
        "the instance was killed",
        where,
        "give calls out a timeout of their own, or allow more: "
        "@pytest.mark.stateless(timeout='60 s')",
    )


def format_seal_failure(error: SandboxSetupError, *, isolation: str, request: str = "") -> str:
    """Say that an instance could not be sealed.

    Args:
        error: The operation that failed, with its system call and error number.
        isolation: The isolation that was to be had.
        request: The request, if one waited for it.

    Returns:
        The text.
    """
    subject = f"{request}: the" if request else "the"
    return _assemble(
        f"{subject} instance could not be sealed ({isolation}), so it was not used",
        [str(error)],
        f"see the documentation of isolation {isolation} for what this machine must allow; "
        f"{_OWN_PROCESS} and enforces nothing",
    )


def format_zygote_death(status: int | None, stderr: Sequence[str] = ()) -> str:
    """Say that the zygote died.

    Args:
        status: As of waitpid(2); None where unknown.
        stderr: The last lines that it wrote to stderr.

    Returns:
        The text.
    """
    how = ""
    if status is not None:
        number = status & _SIGNAL_MASK
        how = f" of {name_signal(number)}" if number else f" with exit status {status >> 8}"
    return _assemble(
        f"the zygote, from which instances are forked, died{how}",
        _show_stderr(stderr),
        'the next request starts another; if it dies each time, stateless_preload = "none" '
        "tells whether a preloaded module is to blame",
    )


def format_lost_connection(crash: Crash) -> str:
    """Say that the app took away what an instance answers through.

    Args:
        crash: What is known.

    Returns:
        The text.
    """
    return _assemble(
        f"{crash.request}: the instance lost its connection to pytest-stateless before it had "
        "answered",
        _show_stderr(crash.stderr),
        "look for code that closes or replaces descriptors that it did not open "
        "(os.closerange, os.dup2)",
    )


def format_garbage(request: str, *, shown: str, stderr: Sequence[str] = ()) -> str:
    """Say that something else than a message came out of an instance.

    Args:
        request: The request.
        shown: What came instead, shortened.
        stderr: The last lines that the instance wrote to stderr.

    Returns:
        The text.
    """
    return _assemble(
        f"{request}: the instance wrote to a descriptor of pytest-stateless",
        [mask(shown), *_show_stderr(stderr)],
        "look for code that writes to, closes or copies descriptors that it did not open "
        "(os.write, os.dup2, os.closerange)",
    )


def format_cold_start_failure(
    app: str, *, step: str, error: str, traceback: str = "", request: str = ""
) -> str:
    """Say that an app did not become ready.

    Args:
        app: The app reference.
        step: What failed, such as `import of shop.app`.
        error: The last line of the traceback.
        traceback: The instance's traceback, cut to the user's frames.
        request: The request that waited for it; empty if none did.

    Returns:
        The text.
    """
    lines = traceback.rstrip().splitlines()
    return _assemble(
        f"{mask(app)} cannot start: {step} failed: {mask(error)}",
        [*([f"it was to serve {request}"] if request else []), *lines],
        "",
    )


def format_cold_start_repeat(app: str, *, error: str, first_test: str) -> str:
    """Say in one line what has been told in full.

    Args:
        app: The app reference.
        error: The last line of the traceback.
        first_test: Node id of the test that told it in full.

    Returns:
        One line.
    """
    return f"{mask(app)} cannot start: {mask(error)} (in full: {first_test})"


def format_app_exception(request: str, traceback: str) -> str:
    """Write the section about an exception that the app raised.

    Args:
        request: The request.
        traceback: The instance's traceback, cut to the user's frames.

    Returns:
        The text.
    """
    return _assemble(
        f"{request}: the app raised, and the platform answers 500",
        traceback.rstrip().splitlines(),
        "",
    )


def _explain_signal(number: int) -> tuple[str, str]:
    known = _MEANINGS.get(name_signal(number))
    return known or ("nobody handled it", f"look for what sends it; {_OWN_PROCESS}")


def _show_stderr(lines: Sequence[str]) -> list[str]:
    last = [line.rstrip() for line in lines][-_SHOWN_LINES:]
    return ["its last lines on stderr:", *_indent(last)] if any(last) else []


def _indent(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" if line else "" for line in lines]


def _assemble(headline: str, evidence: Sequence[str], advice: str) -> str:
    lines = [headline, *(f"    {mask(line)}".rstrip() for line in evidence)]
    if advice:
        lines.append(f"    try     {advice}")
    return "\n".join(lines)
