"""Writes that failed, or that are lost with their instance, judged: SL101, SL103 and SL105.

One failed write makes others fail, so the first is reported and the rest is its evidence: a
write at the same place, to the same file, or below a path that could not be made belongs to it.
What is allowed and lost is weighed in `judge.discarded`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_stateless.judge.advice import (
    advise_on_database,
    advise_on_write,
    find_library_frame,
    name_library,
    offer_of,
    shorten,
)
from pytest_stateless.judge.database import find_database, is_dbm, is_sqlite
from pytest_stateless.judge.discarded import (
    is_worth_telling,
    weigh,
    word_fate,
    word_obstacle,
)
from pytest_stateless.judge.operation import Action, moves_away, read_action, read_literals
from pytest_stateless.judge.places import is_at_or_below
from pytest_stateless.model.finding import Finding
from pytest_stateless.model.observation import Write
from pytest_stateless.model.place import Frame, frames_within, innermost_first_party
from pytest_stateless.model.quantity import format_size
from pytest_stateless.model.rule import Severity

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from pytest_stateless.judge.context import ExchangeContext
    from pytest_stateless.model.observation import Observations

_MAX_EVIDENCE = 8
_CALL = re.compile(r"^(open|os\.\w+|[\w.]+\.(bind|connect))\(|\(sqlite .+\)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fault:
    """A write that failed or is lost, and what it comes to.

    Attributes:
        write: The write.
        rule: The rule that it breaks.
        frame: The place that it is reported at.
        subject: Absolute path of what the finding is about: the file, or the database that a
            temporary file stands for.
        severity: Of a finding of this write alone.
    """

    write: Write
    rule: str
    frame: Frame | None
    subject: str
    severity: Severity


def judge_writes(observations: Observations, context: ExchangeContext) -> tuple[Finding, ...]:
    """Judge the writes of one exchange.

    Args:
        observations: What its instance saw.
        context: What else is known of it.

    Returns:
        One finding for each fault, in the order of their first write.
    """
    reads = context.reads | frozenset(observations.reads)
    groups: list[list[_Fault]] = []
    full = {write.path for write in observations.writes if write.outcome == "full"}
    for write in observations.writes:
        fault = _read_fault(write, reads, observations, context)
        if write.outcome == "allowed" and (
            context.platform.writes == "refuse"
            or write.path in full
            or not is_worth_telling(write, fault.rule)
        ):
            continue
        home = next((group for group in groups if _belongs(fault, group)), None)
        if home is None:
            groups.append([fault])
        else:
            home.append(fault)
    return tuple(_report(group, reads, context) for group in groups)


def _read_fault(
    write: Write,
    reads: AbstractSet[str],
    observations: Observations,
    context: ExchangeContext,
) -> _Fault:
    rule, subject = "SL101", write.path
    if write.outcome == "full":
        rule = "SL103"
    elif (database := find_database(write, reads)) is not None:
        rule, subject = "SL105", database
    return _Fault(
        write=write,
        rule=rule,
        frame=innermost_first_party(write.stack) or write.anchor or observations.app_place,
        subject=subject,
        severity=weigh(write, rule, _show_path(write, subject, context))
        if context.platform.writes == "discard" and write.outcome != "full"
        else _weigh(write, observations, context),
    )


def _weigh(write: Write, observations: Observations, context: ExchangeContext) -> Severity:
    """Lower what a library kept to itself to a warning.

    An error that passes from a library to the framework around the app, past no line of the
    app's own, is not kept: the request fails of it.

    Args:
        write: The write.
        observations: All that was seen with it.
        context: What came of the request.

    Returns:
        The severity.
    """
    if write.reached_first_party:
        return Severity.ERROR
    has_passed_by = (
        write.phase == "request"
        and context.is_failure
        and innermost_first_party(write.stack) is None
        and not any(other.reached_first_party for other in observations.writes)
    )
    return Severity.ERROR if has_passed_by else Severity.WARNING


def _belongs(fault: _Fault, group: list[_Fault]) -> bool:
    for other in group:
        if other.write.outcome != fault.write.outcome:
            continue
        if fault.rule == other.rule and _is_same_place(fault.frame, other.frame):
            return True
        if is_at_or_below(fault.subject, other.subject):
            return True
    return False


def _is_same_place(one: Frame | None, other: Frame | None) -> bool:
    if one is None or other is None:
        return one is other
    return (one.path, one.line) == (other.path, other.line)


def _report(group: list[_Fault], reads: AbstractSet[str], context: ExchangeContext) -> Finding:
    severity = max((fault.severity for fault in group), key=lambda one: one is Severity.ERROR)
    lead = next(fault for fault in group if fault.severity is severity)
    lines: list[str] = []
    for fault in group:
        lines += [line for line in _show_write(fault, context) if line not in lines]
    if len(lines) > _MAX_EVIDENCE:
        lines[_MAX_EVIDENCE:] = [f"and {len(lines) - _MAX_EVIDENCE} more like these"]
    path, line = context.places.locate(lead.frame)
    message, cause, fix = _word(lead, reads, context)
    return Finding(
        rule=lead.rule,
        severity=severity,
        message=message,
        path=path,
        line=line,
        cause=cause,
        evidence=(*lines, _show_answer(lead, severity, context)),
        fix=fix,
        request=context.request,
    )


def _word(fault: _Fault, reads: AbstractSet[str], context: ExchangeContext) -> tuple[str, str, str]:
    if fault.rule == "SL103":
        return _word_full(fault, context)
    if fault.rule == "SL105":
        return _word_database(fault, reads, context)
    return _word_refused(fault, reads, context)


def _word_full(fault: _Fault, context: ExchangeContext) -> tuple[str, str, str]:
    platform = context.platform
    size = format_size(platform.tmp_bytes)
    path = fault.write.path
    if fault.write.is_on_disk:
        return _word_full_disk(fault, context)
    cause = (
        f"on {platform.name} /tmp holds {size}, and what a request leaves there stays while its "
        "instance lives."
    )
    fix = (
        "remove temporary files when done, stream to object storage "
        f"({offer_of(platform.name).storage}), or raise the size here (tmp_size) and there"
    )
    if path in {"", "/tmp"}:
        return f"/tmp ({size}) is full", cause, fix
    return f"{path} does not fit into /tmp ({size})", cause, fix


def _word_full_disk(fault: _Fault, context: ExchangeContext) -> tuple[str, str, str]:
    platform = context.platform
    size = format_size(platform.disk_bytes)
    storage = offer_of(platform.name).storage
    name = _show_path(fault.write, fault.subject, context)
    return (
        f"{name} does not fit on the instance's own disk ({size})",
        f"that disk is kept in memory, and may take half of it ({size}).",
        (
            f"remove files when done, stream to object storage ({storage}), or raise the memory "
            "here (memory) and there"
        ),
    )


def _word_database(
    fault: _Fault, reads: AbstractSet[str], context: ExchangeContext
) -> tuple[str, str, str]:
    write, platform = fault.write, context.platform.name
    name = _show_path(write, fault.subject, context)
    action = read_action(write.operation)
    is_replaced = fault.subject != write.path or action in {Action.WRITE, Action.RENAME}
    doing = "rewritten" if is_replaced else action.value[1]
    fix = advise_on_database(write, platform)
    kind = "sqlite" if is_sqlite(write) else "dbm" if is_dbm(write) else ""
    if kind:
        cause = (
            f"{name} is a file of the app's own; on {platform} it cannot be written, and no "
            "other instance would see the change."
            if context.platform.writes == "refuse"
            else f"{name} is a file of the app's own; {word_fate(platform)}."
        )
        return f"{name} is a {kind} database that {_who(write)}", cause, fix
    is_read = fault.subject in reads
    how = f"read and {doing}" if is_read and doing != "read" else doing
    fate = f"on {platform} it cannot be written"
    if context.platform.writes == "discard":
        fate = word_fate(platform)
    return (
        f"{name} is {doing} {_when(write)}",
        f"{name} is {how} {_when(write)}, as a database; {fate}.",
        fix,
    )


def _word_refused(
    fault: _Fault, reads: AbstractSet[str], context: ExchangeContext
) -> tuple[str, str, str]:
    write, platform = fault.write, context.platform.name
    if not write.path and "SemLock" in write.operation:
        return _word_semaphore(write, platform)
    subject, participle = read_action(write.operation).value
    if participle == "written" and write.path in reads:
        participle = "rewritten"
    elif moves_away(write.operation, write.path):
        participle = "moved"
    named = subject.format(_name_path(write, context))
    when = f" {_when(write)}" if write.phase == "start" else ""
    if write.outcome == "allowed":
        message = f"{named} is {participle} on the instance's own disk{when}"
        return message, f"{word_fate(platform)}.", advise_on_write(write, platform)
    if context.platform.writes == "discard":
        cause, fix = word_obstacle(write, platform, context.isolation)
        message = f"{named} cannot be {participle} here{when}"
        return message, cause, fix or advise_on_write(write, platform)
    message = f"{named} cannot be {participle}{when}"
    rule = f"on {platform} only /tmp can be written, and it goes with its instance."
    library = name_library(write.stack)
    if fault.severity is Severity.WARNING:
        rule = f"{library or 'the library'} kept the error to itself; {rule}"
    return message, rule, advise_on_write(write, platform)


def _word_semaphore(write: Write, platform: str) -> tuple[str, str, str]:
    when = f" {_when(write)}" if write.phase == "start" else ""
    return (
        f"a lock of multiprocessing cannot be made{when}",
        f"it needs a writable /dev/shm; on {platform} only /tmp can be written.",
        (
            "use threads, with their locks and queues; of multiprocessing only Process and Pipe "
            "work without /dev/shm"
        ),
    )


def _name_path(write: Write, context: ExchangeContext) -> str:
    """Name what a write would change; a temporary file's random name says nothing."""
    if not write.path:
        return next(iter(read_literals(write.operation)), "a file")
    is_random = any(frame.path.endswith("/tempfile.py") for frame in frames_within(write.stack))
    shown = _show_path(write, write.path, context)
    if not is_random:
        return shown
    # an action that is about a folder says so itself
    article = "" if read_action(write.operation) is Action.MAKE_FOLDER else "a temporary file "
    return f"{article}in {shown.rpartition('/')[0] or 'the working directory'}"


def _show_path(write: Write, path: str, context: ExchangeContext) -> str:
    """Show a path: relative to the rootdir, else as the app gave it, else in full."""
    shown = context.places.show(path)
    if not shown.startswith("/"):
        return shown
    for literal in read_literals(write.operation):
        given = literal.removeprefix("./")
        folder = write.path.removesuffix(given)
        if not given.startswith("/") and folder.endswith("/") and path.startswith(folder):
            return path.removeprefix(folder)
    return context.places.shorten(path)


def _who(write: Write) -> str:
    return "requests write" if write.phase == "request" else "each instance writes as it starts"


def _when(write: Write) -> str:
    if write.phase == "request":
        return "by requests"
    is_import = any(frame.is_first_party and frame.function == "<module>" for frame in write.stack)
    return "at import" if is_import or write.anchor else "while the instance started"


def _show_write(fault: _Fault, context: ExchangeContext) -> list[str]:
    write, frame = fault.write, fault.frame
    outcome = "no space left" if write.outcome == "full" else "refused"
    result = context.places.shorten(f"{outcome}: {write.error}")
    if write.outcome == "allowed":
        result = "gone with the instance"
    deed = f"{context.places.shorten(write.operation)}   {result}"
    inner = find_library_frame(write.stack)
    if frame is None:
        return [deed]
    place = context.places.point(frame)
    if inner is None and _is_of_python(write) and frame.source:
        return [f"{place}  {frame.source}   {result}"]
    if inner is None:
        is_stated = innermost_first_party(write.stack) is not None or not frame.source
        return [f"{place}  {deed}" if is_stated else f"{place}  {frame.source}   {deed}"]
    return [
        f"{place}  {frame.source or frame.function}",
        f"  {shorten(inner.path)}:{inner.line}  {deed}",
    ]


def _is_of_python(write: Write) -> bool:
    """Tell whether a write is told by a line of the standard library, which says nothing."""
    is_inside = bool(write.stack) and not write.stack[0].is_first_party
    return is_inside and _CALL.search(write.operation) is None


def _show_answer(fault: _Fault, severity: Severity, context: ExchangeContext) -> str:
    if fault.write.outcome == "allowed":
        is_answered = context.status is not None and not context.is_failure
        return f"answered {context.status}" if is_answered else context.answer
    if severity is Severity.ERROR or context.is_failure:
        return context.answer
    library = name_library(fault.write.stack) or "the library"
    status = f"; answered {context.status}" if context.status is not None else ""
    return f"{library} went on without it{status}"
