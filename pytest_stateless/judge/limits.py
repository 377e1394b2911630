"""Limits of the platform that were passed: SL501 payload, SL502 timeout, SL503 memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pytest_stateless.judge.advice import offer_of, shorten
from pytest_stateless.model.finding import Finding
from pytest_stateless.model.place import innermost_first_party
from pytest_stateless.model.quantity import format_duration, format_size
from pytest_stateless.model.rule import RULES

if TYPE_CHECKING:
    from pytest_stateless.judge.context import ExchangeContext
    from pytest_stateless.model.place import Frame

_SHOWN_FRAMES = 4


def judge_payload(
    direction: Literal["request", "response"],
    size_bytes: int,
    *,
    context: ExchangeContext,
    place: Frame | None,
) -> Finding | None:
    """Judge the size of a body.

    Args:
        direction: Which body.
        size_bytes: Its size as the platform counts it.
        context: What is known of the exchange.
        place: Where to report it: the view if known, else where the app is defined.

    Returns:
        An SL501 finding, or None if the platform carries it.
    """
    platform = context.platform
    is_request = direction == "request"
    limit = platform.request_bytes if is_request else platform.response_bytes
    if limit is None or size_bytes <= limit:
        return None
    size, most = _tell_apart(size_bytes, limit)
    storage = offer_of(platform.name).storage
    return _make(
        "SL501",
        f"a {direction} of {size} is over the limit of {most}",
        context=context,
        place=place,
        cause=f"{platform.name} carries {direction} bodies of at most {most}"
        + ("; the app never sees a larger one." if is_request else "; the client gets an error."),
        evidence=(f"{direction} body {size_bytes:,} bytes, limit {limit:,} bytes",),
        fix=(
            f"let clients upload to object storage ({storage}) by a signed URL"
            if is_request
            else f"put it into object storage ({storage}) and answer with a signed URL, or page it"
        ),
    )


def judge_timeout(
    timeout_s: float,
    *,
    context: ExchangeContext,
    stack: tuple[Frame, ...] = (),
    app_place: Frame | None = None,
) -> Finding:
    """Judge a request that took longer than the platform allows.

    Args:
        timeout_s: The limit, in seconds.
        context: What is known of the exchange.
        stack: Where it hung, innermost frame first; empty where unknown.
        app_place: Where the app is defined.

    Returns:
        An SL502 finding.
    """
    allowed = format_duration(timeout_s)
    frame = innermost_first_party(stack) or app_place
    lines = [
        f"{context.places.point(one)}  {one.source or 'in ' + one.function}"
        for one in stack
        if one.is_first_party
    ][:_SHOWN_FRAMES]
    if stack and not stack[0].is_first_party:
        inner = stack[0]
        lines.insert(0, f"{shorten(inner.path)}:{inner.line}  in {inner.function}")
    where = " here" if innermost_first_party(stack) else ""
    return _make(
        "SL502",
        f"no answer within {allowed}",
        context=context,
        place=frame,
        cause=f"{context.platform.name} gives up after {allowed} and ends the instance.",
        evidence=(*lines, f"was still at work{where} after {allowed}, and was killed"),
        fix="give calls out a timeout of their own, and send long work to a queue "
        f"({offer_of(context.platform.name).queue})",
    )


def judge_memory(
    peak_bytes: int,
    *,
    context: ExchangeContext,
    place: Frame | None,
    was_killed: bool = False,
) -> Finding | None:
    """Judge the memory of an instance.

    Args:
        peak_bytes: Its largest resident set, in bytes; 0 where unknown.
        context: What is known of the exchange.
        place: Where to report it.
        was_killed: Whether it was ended for its memory, whatever the peak that was seen.

    Returns:
        An SL503 finding, or None if the platform gives as much.
    """
    limit = context.platform.memory_bytes
    if peak_bytes <= limit and not was_killed:
        return None
    peak, most = _tell_apart(peak_bytes, limit)
    used = f"used {peak} of" if peak_bytes > limit else "ran over its"
    return _make(
        "SL503",
        f"the instance {used} {most} of memory",
        context=context,
        place=place,
        cause=f"{context.platform.name} gives an instance {most} and kills it beyond that.",
        evidence=(
            *(
                (f"largest resident set {peak_bytes:,} bytes, limit {limit:,} bytes",)
                if peak_bytes
                else ()
            ),
            *(("was killed before it answered",) if was_killed else ()),
            *((f"answered {context.status}",) if context.status is not None else ()),
        ),
        fix="stream instead of holding all at once, or give it more here (memory) and there",
    )


def _tell_apart(size_bytes: int, limit_bytes: int) -> tuple[str, str]:
    size, limit = format_size(size_bytes), format_size(limit_bytes)
    if size_bytes > limit_bytes and size == limit:
        return f"{size_bytes:,} bytes", f"{limit_bytes:,} bytes"
    return size, limit


def _make(  # noqa: PLR0913 (the parts of a finding, by name)
    rule: str,
    message: str,
    *,
    context: ExchangeContext,
    place: Frame | None,
    cause: str,
    evidence: tuple[str, ...],
    fix: str,
) -> Finding:
    path, line = context.places.locate(place)
    return Finding(
        rule=rule,
        severity=RULES[rule].severity,
        message=message,
        path=path,
        line=line,
        cause=cause,
        evidence=evidence,
        fix=fix,
        request=context.request,
    )
