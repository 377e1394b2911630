from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_stateless.judge.merge import finding_key, merge
from pytest_stateless.judge.places import Places
from pytest_stateless.judge.suppress import fails, split, worst
from pytest_stateless.model.finding import Finding
from pytest_stateless.model.place import Frame
from pytest_stateless.model.rule import Severity
from pytest_stateless.model.suppression import parse_suppression

FINDING = Finding(
    rule="SL101",
    severity=Severity.ERROR,
    message="a cannot be written",
    path="shop/app.py",
    line=3,
    cause="c",
    evidence=("e",),
    fix="f",
    request="GET /1",
)
WARNING = replace(FINDING, severity=Severity.WARNING)


def test_one_place_is_one_finding_that_names_the_later_requests() -> None:
    later = [replace(FINDING, request=f"GET /{number}") for number in range(2, 7)]
    (merged,) = merge([FINDING, *later])
    assert merged.request == "GET /1"
    assert merged.evidence == ("e", "also in GET /2, GET /3, GET /4 and 2 more")


def test_an_error_leads_a_warning_of_the_same_place() -> None:
    error = replace(FINDING, request="GET /2")
    assert merge([WARNING, error]) == (replace(error, evidence=("e", "also in GET /1")),)


def test_another_rule_or_place_is_another_finding() -> None:
    findings = (FINDING, replace(FINDING, line=4), replace(FINDING, rule="SL105"))
    assert merge(findings) == findings


def test_findings_without_a_place_are_told_apart_by_their_message() -> None:
    lost = replace(FINDING, path="", line=0)
    assert len(merge([lost, replace(lost, message="b")])) == 2


def test_merging_twice_changes_nothing() -> None:
    once = merge([FINDING, replace(FINDING, request="GET /2"), WARNING])
    assert merge(once) == once


def test_a_threads_number_does_not_make_another_finding() -> None:
    one = replace(FINDING, message="thread Thread-1 is alive")
    other = replace(FINDING, message="thread Thread-27 is alive", request="GET /9")
    assert finding_key(one) == finding_key(other) != finding_key(FINDING)


def test_accepted_findings_are_told_apart_with_their_reason() -> None:
    suppression = parse_suppression("SL101:shop/*  # falls back by itself")
    other = replace(FINDING, path="cart/app.py")
    parts = split([FINDING, other], [suppression])
    assert parts.kept == (other,)
    assert [(one.finding, one.suppression.reason) for one in parts.accepted] == [
        (FINDING, "falls back by itself")
    ]


@pytest.mark.parametrize(
    ("findings", "threshold", "expected"),
    (
        ((), Severity.WARNING, False),
        ((WARNING,), Severity.ERROR, False),
        ((WARNING,), Severity.WARNING, True),
        ((WARNING, FINDING), Severity.ERROR, True),
        ((FINDING,), None, False),
    ),
)
def test_a_test_fails_at_the_threshold(
    findings: tuple[Finding, ...], threshold: Severity | None, *, expected: bool
) -> None:
    assert fails(findings, threshold) is expected


def test_the_worst_severity_is_the_highest() -> None:
    assert worst([]) is None
    assert worst([WARNING]) is Severity.WARNING
    assert worst([WARNING, FINDING, WARNING]) is Severity.ERROR


@pytest.mark.parametrize(
    ("path", "shown"),
    (
        ("/w/shop/app.py", "shop/app.py"),
        ("/srv/app.py", "/srv/app.py"),
        ("/v/site-packages/shop/app.py", "src/shop/app.py"),
        ("/v/site-packages/shopping/app.py", "/v/site-packages/shopping/app.py"),
        ("/v/site-packages/solo.py", "solo.py"),
        ("<string>", "<string>"),
        ("/w", "/w"),
    ),
)
def test_a_path_is_shown_as_the_users_own(path: str, shown: str) -> None:
    places = Places(
        rootdir="/w/",
        source_map=(
            ("/v/site-packages/shop", "/w/src/shop"),
            ("/v/site-packages/solo.py", "/w/solo.py"),
        ),
    )
    assert places.show(path) == shown


def test_a_frame_is_located_in_the_source() -> None:
    frame = Frame(path="/w/a.py", line=7, function="f", is_first_party=True)
    assert Places(rootdir="/w").locate(frame) == ("a.py", 7)
    assert Places(rootdir="/w").locate(None) == ("", 0)
    assert Places(rootdir="/w").point(frame) == "a.py:7"
