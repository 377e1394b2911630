from __future__ import annotations

import json
from dataclasses import replace

from pytest_stateless.model.finding import Finding
from pytest_stateless.model.platform import find_profile
from pytest_stateless.model.rule import Severity
from pytest_stateless.model.totals import SessionTotals, UnenforcedTotal
from pytest_stateless.report.header import HeaderFacts, describe_isolation, format_header
from pytest_stateless.report.summary import format_summary

FACTS = HeaderFacts(
    app="shop.app:app",
    platform=find_profile("aws-lambda"),
    platform_origin="default",
    start="cold",
    isolation="namespace (kernel, unprivileged)",
)
FINDING = Finding(
    rule="SL105",
    severity=Severity.ERROR,
    message="db.json is rewritten by requests",
    path="shop/app.py",
    line=12,
    cause="c",
    evidence=(),
    fix="f",
)
WARNING = replace(
    FINDING,
    rule="SL301",
    severity=Severity.WARNING,
    message="thread sentry.worker (sentry_sdk.worker._target) is alive after the response",
    path="",
    line=0,
)

UNENFORCED = UnenforcedTotal(
    isolation="fake", gap="programs", place="shop/app.py:9", operation="subprocess.Popen('gs')"
)


def filled() -> SessionTotals:
    totals = SessionTotals(
        requests=212,
        instances=212,
        cold_starts_s=[0.004] * 211 + [0.031],
        handlings_s=[0.002] * 212,
        accepted=1,
        dropped=[("shop.tasks", "it starts a thread")],
    )
    totals.add_findings("tests/test_a.py::test_x", [WARNING, FINDING])
    totals.add_findings("tests/test_a.py::test_y", [FINDING])
    totals.note_unenforced(UNENFORCED)
    return totals


def test_the_header_reads_as_documented() -> None:
    assert format_header(FACTS) == (
        "stateless: app shop.app:app | platform aws-lambda (default; 6 MB, /tmp 512 MB, "
        "1 request at a time) | start cold | isolation namespace (kernel, unprivileged)"
    )


def test_the_header_tells_where_each_choice_came_from() -> None:
    facts = replace(
        FACTS,
        app_origin="--stateless-app",
        start="spawn",
        start_origin="ini",
        platform=replace(find_profile("vercel"), request_bytes=None, response_bytes=None),
        platform_origin="",
    )
    assert format_header(facts) == (
        "stateless: app shop.app:app (--stateless-app) | platform vercel (/tmp 500 MB, 1 request "
        "at a time) | start spawn (ini) | isolation namespace (kernel, unprivileged)"
    )


def test_the_header_tells_what_becomes_of_writes_where_it_is_given() -> None:
    assert format_header(replace(FACTS, writes="discarded (cloud-run; 256 MB)")).endswith(
        " | isolation namespace (kernel, unprivileged)"
        " | writes outside /tmp discarded (cloud-run; 256 MB)"
    )


def test_the_header_says_what_an_isolation_does_not_cover() -> None:
    assert (
        describe_isolation("namespace", is_privileged=False) == "namespace (kernel, unprivileged)"
    )
    assert describe_isolation("fake", is_privileged=True) == (
        "fake (Python code only, root); not covered: what programs and C code write"
    )


def test_the_header_says_when_no_app_is_set() -> None:
    assert format_header(replace(FACTS, app="")).startswith(
        "stateless: app not set (stateless_app, --stateless-app) | "
    )


def test_the_header_says_when_nothing_is_enforced() -> None:
    assert format_header(replace(FACTS, not_enforced="--no-stateless")) == (
        "stateless: not enforced: --no-stateless; every request is served in this process, "
        "nothing is sealed | app shop.app:app"
    )


def test_a_factorys_secret_is_masked() -> None:
    facts = replace(FACTS, app="shop:create_app(password='hunter2')")
    assert "hunter2" not in format_header(facts)


def test_the_summary_names_rules_places_and_tests() -> None:
    assert (
        "\n".join(format_summary(filled(), 100))
        == """\
212 requests on 212 fresh instances; cold start 4 ms (median), slowest 31 ms; handling 2 ms
SL105 local-database                 shop/app.py:12            2 tests  \
first tests/test_a.py::test_x
SL301 work-after-response (warning)  thread sentry.worker ...  1 test   \
tests/test_a.py::test_x
1 finding accepted (stateless_allow, allow=...)
not imported ahead, so imported at each cold start: shop.tasks (it starts a thread)
not enforced by isolation fake: programs that are started (subprocess, os.system) write where they
    like
    shop/app.py:9  subprocess.Popen('gs')"""
    )


def test_what_is_not_enforced_is_told_once_for_each_place_and_gap() -> None:
    totals = SessionTotals(requests=1)
    for number in range(12):
        totals.note_unenforced(replace(UNENFORCED, place=f"shop/app.py:{number}"))
        totals.note_unenforced(replace(UNENFORCED, place=f"shop/app.py:{number}", operation="x"))
    totals.note_unenforced(replace(UNENFORCED, gap="c-code", operation="ctypes.CDLL('libc')"))
    lines = format_summary(totals, 120)[1:]
    assert lines[1] == "    shop/app.py:0  subprocess.Popen('gs')"
    assert lines[11] == "    and 2 more places"
    assert lines[-1] == "    shop/app.py:9  ctypes.CDLL('libc')"
    assert len(lines) == 14


def test_a_clean_session_says_that_nothing_was_found() -> None:
    totals = SessionTotals(requests=1, instances=1, cold_starts_s=[0.5], handlings_s=[1.0])
    assert format_summary(totals, 100) == [
        "1 request on 1 fresh instance; cold start 500 ms (median), slowest 500 ms; handling 1 s",
        "no findings",
    ]


def test_a_session_without_requests_says_nothing() -> None:
    assert format_summary(SessionTotals(), 100) == []


def test_a_session_that_enforced_nothing_says_so_first() -> None:
    totals = SessionTotals(requests=2, not_enforced="--pdb", handlings_s=[0.25, 0.75])
    assert format_summary(totals, 100) == [
        "not enforced: --pdb; every request is served in this process, nothing is sealed",
        "2 requests; handling 500 ms",
    ]


def test_totals_survive_the_way_from_a_worker() -> None:
    plain = json.loads(json.dumps(filled().to_plain()))
    assert SessionTotals.from_plain(plain) == filled()


def test_totals_of_workers_add_up() -> None:
    other = SessionTotals(requests=3, instances=2, accepted=1, not_enforced="--pdb")
    other.add_findings("tests/test_b.py::test_z", [FINDING])
    parts = [filled(), other]
    whole = SessionTotals.merged(parts)
    assert (whole.requests, whole.instances, whole.accepted) == (215, 214, 2)
    assert whole.not_enforced == "--pdb"
    assert [len(total.tests) for total in whole.findings] == [1, 3]
    assert whole.unenforced == [UNENFORCED]
    assert parts[0] == filled()
    assert SessionTotals.merged([]) == SessionTotals()
    assert SessionTotals.merged([filled()]) == filled()


def test_a_place_takes_the_highest_severity_of_its_findings() -> None:
    totals = SessionTotals()
    totals.add_findings("t1", [replace(FINDING, severity=Severity.WARNING)])
    totals.add_findings("t2", [FINDING])
    totals.add_findings("t3", [replace(FINDING, severity=Severity.WARNING)])
    assert [total.severity for total in totals.findings] == [Severity.ERROR]
