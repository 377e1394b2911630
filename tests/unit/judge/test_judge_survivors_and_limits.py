from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_stateless.judge.context import ExchangeContext
from pytest_stateless.judge.exchange import judge_exchange
from pytest_stateless.judge.limits import judge_memory, judge_payload, judge_timeout
from pytest_stateless.judge.places import Places
from pytest_stateless.model.finding import Finding
from pytest_stateless.model.observation import Observations, Survivor, SurvivorKind
from pytest_stateless.model.place import Frame
from pytest_stateless.model.platform import find_profile
from pytest_stateless.model.quantity import MB
from pytest_stateless.model.rule import Severity

CONTEXT = ExchangeContext(
    title="POST /mail",
    number=2,
    instance=2,
    platform=find_profile("aws-lambda"),
    places=Places(rootdir="/w"),
    status=200,
)
APP = Frame(
    path="/w/shop/app.py",
    line=31,
    function="mail",
    is_first_party=True,
    source="Thread(target=send).start()",
)
LIBRARY = Frame(
    path="/venv/site-packages/sentry_sdk/worker.py", line=60, function="start", is_first_party=False
)
THREAD = Survivor(
    kind="thread",
    name="Thread-1",
    target="shop.mail.send",
    stack=(APP,),
    runs_first_party=True,
    phase="request",
)


def judge(*survivors: Survivor, app_place: Frame | None = None) -> tuple[Finding, ...]:
    return judge_exchange(Observations(survivors=survivors, app_place=app_place), CONTEXT)


def test_a_thread_that_a_request_started_is_an_error() -> None:
    assert judge(THREAD) == (
        Finding(
            rule="SL301",
            severity=Severity.ERROR,
            message="thread shop.mail.send is alive after the response",
            path="shop/app.py",
            line=31,
            cause=(
                "on aws-lambda an instance is frozen once it has answered: the work stops there, "
                "and may never go on."
            ),
            evidence=(
                "shop/app.py:31  Thread(target=send).start()   started here, by this request",
                "answered 200 before it was done",
            ),
            fix=(
                "wait for it before answering, or send the job to a queue (SQS) that calls the app "
                "again"
            ),
            request="POST /mail (request 2, instance 2)",
        ),
    )


@pytest.mark.parametrize(
    ("kind", "name", "target", "message"),
    (
        ("timer", "", "shop.f", "timer shop.f is still to fire after the response"),
        ("task", "Task-3", "", "task Task-3 is not done when the response is complete"),
        ("process", "sleep 60", "", "process 'sleep 60' runs after the response"),
        ("background", "shop.f", "shop.f", "background task shop.f runs after the response"),
        ("process", "", "", "a forked process runs after the response"),
        ("background", "send", "shop.send", "background task shop.send runs after the response"),
        ("thread", "Thread-1 (f)", "shop.f", "thread shop.f is alive after the response"),
        ("thread", "mailer", "shop.f", "thread mailer (shop.f) is alive after the response"),
        ("close", "", "shop.f", "function shop.f is run by close(), after the response"),
        ("scheduler", "", "shop.f", "thread shop.f works between requests"),
        ("app", "", "shop.app", "app shop.app works on after the last piece of its response"),
    ),
)
def test_each_kind_has_its_words(kind: SurvivorKind, name: str, target: str, message: str) -> None:
    (finding,) = judge(replace(THREAD, kind=kind, name=name, target=target))
    assert finding.message == message


@pytest.mark.parametrize(
    ("survivor", "severity", "is_once"),
    (
        (replace(THREAD, runs_first_party=False), Severity.WARNING, False),
        (replace(THREAD, runs_first_party=False, phase="start"), Severity.WARNING, True),
        (replace(THREAD, phase="start"), Severity.ERROR, False),
        (replace(THREAD, kind="timer", runs_first_party=False), Severity.ERROR, False),
        (
            replace(THREAD, kind="timer", runs_first_party=False, phase="start"),
            Severity.WARNING,
            True,
        ),
        (
            replace(THREAD, kind="scheduler", runs_first_party=False, phase="start"),
            Severity.ERROR,
            False,
        ),
        (
            replace(THREAD, kind="task", runs_first_party=False, stack=(LIBRARY,)),
            Severity.WARNING,
            False,
        ),
    ),
)
def test_what_the_users_code_started_is_an_error_and_a_librarys_idler_a_warning(
    survivor: Survivor, severity: Severity, *, is_once: bool
) -> None:
    (finding,) = judge(survivor)
    assert (finding.severity, finding.is_once_a_session) == (severity, is_once)


def test_a_librarys_thread_is_shown_where_it_was_started() -> None:
    (finding,) = judge(replace(THREAD, runs_first_party=False, stack=(LIBRARY,)))
    assert finding.place == ""
    assert finding.evidence[0] == (
        "sentry_sdk/worker.py:60  in start   started here, by this request"
    )


def test_threads_of_one_place_are_one_finding() -> None:
    (finding,) = judge(THREAD, replace(THREAD, name="mailer"))
    assert finding.evidence[-1] == (
        "also: thread mailer (shop.mail.send) is alive after the response"
    )


def test_a_scheduler_and_a_background_task_say_in_their_own_words_how_they_began() -> None:
    (scheduler,) = judge(replace(THREAD, kind="scheduler", phase="start"))
    assert scheduler.evidence == (
        "shop/app.py:31  Thread(target=send).start()   started here, while the instance started",
        "answered 200 with it still running",
    )
    (background,) = judge(replace(THREAD, kind="background"))
    assert background.evidence[0].endswith("   added here, by this request")


@pytest.mark.parametrize(
    ("direction", "size", "message"),
    (
        ("request", 6 * MB, None),
        ("request", 7 * MB, "a request of 7 MB is over the limit of 6 MB"),
        ("response", 7 * MB, "a response of 7 MB is over the limit of 6 MB"),
        (
            "response",
            6 * MB + 1,
            "a response of 6,291,457 bytes is over the limit of 6,291,456 bytes",
        ),
    ),
)
def test_a_body_over_the_limit_is_found(direction: str, size: int, message: str | None) -> None:
    finding = judge_payload(
        "request" if direction == "request" else "response", size, context=CONTEXT, place=APP
    )
    assert (finding.message if finding else None) == message


def test_a_platform_without_a_limit_carries_everything() -> None:
    context = replace(CONTEXT, platform=replace(CONTEXT.platform, request_bytes=None))
    assert judge_payload("request", 1 << 40, context=context, place=None) is None


def test_a_timeout_is_placed_where_the_request_hung() -> None:
    finding = judge_timeout(30, context=CONTEXT, stack=(LIBRARY, APP))
    assert (finding.rule, finding.message, finding.place) == (
        "SL502",
        "no answer within 30 s",
        "shop/app.py:31",
    )
    assert finding.evidence == (
        "sentry_sdk/worker.py:60  in start",
        "shop/app.py:31  Thread(target=send).start()",
        "was still at work here after 30 s, and was killed",
    )


def test_a_timeout_without_a_stack_is_placed_where_the_app_is_defined() -> None:
    finding = judge_timeout(0.25, context=CONTEXT, app_place=APP)
    assert finding.place == "shop/app.py:31"
    assert finding.evidence == ("was still at work after 250 ms, and was killed",)


def test_memory_beyond_the_limit_is_found() -> None:
    assert judge_memory(1024 * MB, context=CONTEXT, place=APP) is None
    finding = judge_memory(2048 * MB, context=CONTEXT, place=APP)
    assert finding is not None
    assert finding.message == "the instance used 2 GB of 1 GB of memory"
    assert finding.evidence == (
        "largest resident set 2,147,483,648 bytes, limit 1,073,741,824 bytes",
        "answered 200",
    )


def test_a_kill_for_memory_is_found_whatever_was_seen() -> None:
    context = replace(CONTEXT, status=None)
    finding = judge_memory(0, context=context, place=None, was_killed=True)
    assert finding is not None
    assert finding.message == "the instance ran over its 1 GB of memory"
    assert finding.evidence == ("was killed before it answered",)


def test_the_memory_seen_by_an_exchange_is_judged_with_it() -> None:
    (finding,) = judge_exchange(Observations(peak_bytes=2048 * MB, app_place=APP), CONTEXT)
    assert finding.rule == "SL503"
