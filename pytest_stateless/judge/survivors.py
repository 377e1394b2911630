"""What was alive after the response, judged: SL301.

An instance is frozen as soon as it has answered, so work that goes on is lost or late. What the
user's code runs, or started in a request, is an error. A thread of a library, and what a library
started while the instance started, is a warning: most of it idles, and it says the same in every
test.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_stateless.judge.advice import advise_on_survivor, shorten
from pytest_stateless.model.finding import Finding
from pytest_stateless.model.place import innermost_first_party
from pytest_stateless.model.rule import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_stateless.judge.context import ExchangeContext
    from pytest_stateless.model.observation import Observations, Survivor, SurvivorKind
    from pytest_stateless.model.place import Frame

# the names that Python gives where the user gives none
_GIVEN_BY_PYTHON = re.compile(
    r"(Thread|Task|Process|Dummy|ThreadPoolExecutor)-\d+(_\d+)?( \(.*\))?|asyncio_\d+|AnyIO .*"
)
_WORDS: Mapping[SurvivorKind, tuple[str, str]] = MappingProxyType({
    "thread": ("thread", "is alive after the response"),
    "timer": ("timer", "is still to fire after the response"),
    "task": ("task", "is not done when the response is complete"),
    "process": ("process", "runs after the response"),
    "background": ("background task", "runs after the response"),
    "close": ("function", "is run by close(), after the response"),
    "scheduler": ("thread", "works between requests"),
    "app": ("app", "works on after the last piece of its response"),
})
_BEGINNINGS: Mapping[SurvivorKind, str] = MappingProxyType({
    "background": "added here, by this request",
    "close": "run by close()",
    "app": "still at work here",
})


def judge_survivors(observations: Observations, context: ExchangeContext) -> tuple[Finding, ...]:
    """Judge what was alive when the response of one exchange was complete.

    Args:
        observations: What its instance saw.
        context: What else is known of it.

    Returns:
        A finding for each survivor; what shares a place is folded by `merge`.
    """
    return tuple(
        _report(survivor, observations.app_place, context) for survivor in observations.survivors
    )


def _report(survivor: Survivor, app_place: Frame | None, context: ExchangeContext) -> Finding:
    started = innermost_first_party(survivor.stack)
    frame = started or app_place
    severity = _weigh(survivor)
    path, line = context.places.locate(frame)
    kind, what = _WORDS[survivor.kind]
    name = _name(survivor)
    if survivor.kind == "process" and not name:
        kind = "forked process"
    message = f"{kind} {name} {what}" if name else f"a {kind} {what}"
    return Finding(
        rule="SL301",
        severity=severity,
        message=message,
        path=path,
        line=line,
        cause=_explain(severity, context.platform.name),
        evidence=_show(survivor, started, context),
        fix=(
            advise_on_survivor(survivor.kind, context.platform.name)
            if severity is Severity.ERROR
            else "if it sends data, flush it before answering; if it only idles, accept it with a "
            "reason (stateless_allow)"
        ),
        request=context.request,
        is_once_a_session=severity is Severity.WARNING and survivor.phase == "start",
    )


def _weigh(survivor: Survivor) -> Severity:
    if survivor.runs_first_party:
        return Severity.ERROR
    if survivor.kind == "thread" or innermost_first_party(survivor.stack) is None:
        return Severity.WARNING
    # an import statement is a first-party frame too: what a library starts at import is its own
    if survivor.phase == "start" and survivor.kind != "scheduler":
        return Severity.WARNING
    return Severity.ERROR


def _name(survivor: Survivor) -> str:
    name, target = survivor.name, survivor.target
    if survivor.kind == "process":
        return repr(name) if name else target
    is_said = name == target or target.endswith("." + name) or _GIVEN_BY_PYTHON.fullmatch(name)
    if target and (not name or is_said):
        return target
    return f"{name} ({target})" if target else name


def _explain(severity: Severity, platform: str) -> str:
    if severity is Severity.ERROR:
        return (
            f"on {platform} an instance is frozen once it has answered: the work stops there, "
            "and may never go on."
        )
    return (
        f"on {platform} an instance is frozen once it has answered; a library's idle thread "
        "bears that, one that sends data loses some."
    )


def _show(survivor: Survivor, started: Frame | None, context: ExchangeContext) -> tuple[str, ...]:
    lines: list[str] = []
    when = "by this request" if survivor.phase == "request" else "while the instance started"
    how = _BEGINNINGS.get(survivor.kind, f"started here, {when}")
    if started is not None:
        source = started.source or f"in {started.function}"
        lines.append(f"{context.places.point(started)}  {source}   {how}")
    elif survivor.stack:
        inner = survivor.stack[0]
        lines.append(f"{shorten(inner.path)}:{inner.line}  in {inner.function}   {how}")
    else:
        lines.append(f"started {when}")
    if context.status is not None:
        end = "with it still running" if survivor.kind == "scheduler" else "before it was done"
        lines.append(f"answered {context.status} {end}")
    return tuple(lines)
