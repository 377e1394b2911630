from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_stateless.model.finding import Finding
from pytest_stateless.model.rule import Severity
from pytest_stateless.report.finding import format_finding, format_findings, format_headline
from pytest_stateless.report.wrap import wrap

FINDING = Finding(
    rule="SL105",
    severity=Severity.ERROR,
    message="db.json is rewritten by requests",
    path="guestbook/app.py",
    line=15,
    cause=(
        "db.json is read and rewritten by requests, as a database; "
        "on aws-lambda it cannot be written."
    ),
    evidence=(
        (
            "guestbook/app.py:15  open('db.json', 'w')   "
            "refused: [Errno 30] Read-only file system: 'db.json'"
        ),
        "answered 500",
    ),
    fix="keep the entries in a database (DynamoDB, SQL); two instances never share a file",
    request="POST /entries (request 1, instance 1)",
)


def test_a_finding_reads_as_documented() -> None:
    assert (
        format_finding(FINDING, 120)
        == """\
guestbook/app.py:15: SL105 local-database: db.json is rewritten by requests
    db.json is read and rewritten by requests, as a database; on aws-lambda it cannot be written.

    POST /entries (request 1, instance 1)
        guestbook/app.py:15  open('db.json', 'w')   \
refused: [Errno 30] Read-only file system: 'db.json'
        answered 500
    fix     keep the entries in a database (DynamoDB, SQL); two instances never share a file"""
    )


def test_a_narrow_terminal_gets_hanging_indents() -> None:
    assert (
        format_finding(FINDING, 64, again="pytest 'tests/test_a.py::test_b'")
        == """\
guestbook/app.py:15: SL105 local-database: db.json is rewritten by requests
    db.json is read and rewritten by requests, as a database; on
    aws-lambda it cannot be written.

    POST /entries (request 1, instance 1)
        guestbook/app.py:15  open('db.json', 'w')
            refused: [Errno 30] Read-only file system: 'db.json'
        answered 500
    fix     keep the entries in a database (DynamoDB, SQL); two
            instances never share a file
    again   pytest 'tests/test_a.py::test_b'"""
    )


def test_a_warning_says_so_in_its_first_line() -> None:
    warning = replace(FINDING, severity=Severity.WARNING)
    assert format_headline(warning) == (
        "guestbook/app.py:15: SL105 local-database (warning): db.json is rewritten by requests"
    )


def test_a_finding_without_a_place_begins_with_its_code() -> None:
    lost = replace(FINDING, path="", line=0, request="", evidence=())
    assert (
        format_finding(lost, 120)
        == """\
SL105 local-database: db.json is rewritten by requests
    db.json is read and rewritten by requests, as a database; on aws-lambda it cannot be written.
    fix     keep the entries in a database (DynamoDB, SQL); two instances never share a file"""
    )


def test_the_first_line_is_one_line_whatever_the_message() -> None:
    long = replace(FINDING, message="a file\nnamed " + "x" * 200)
    assert format_finding(long, 60).splitlines()[0].endswith("a file named " + "x" * 200)


def test_secrets_are_masked_everywhere_but_in_places() -> None:
    leaky = replace(
        FINDING,
        path="shop/token.py",
        message="password='pw1' cannot be written",
        cause="API_KEY=pw2 is read.",
        request="GET /?token=pw3 (request 1)",
        evidence=("Authorization: Bearer pw4", "postgres://u:pw5@host/db"),
    )
    text = format_finding(leaky, 100)
    assert "pw" not in text.replace("password", "")
    assert text.startswith("shop/token.py:15: SL105")


def test_errors_come_before_warnings() -> None:
    warning = replace(FINDING, severity=Severity.WARNING, path="a.py")
    text = format_findings([warning, FINDING], 120)
    assert [line for line in text.splitlines() if "SL105" in line] == [
        format_headline(FINDING),
        format_headline(warning),
    ]
    assert "\n\na.py:15" in text
    assert format_findings([], 120) == ""


@pytest.mark.parametrize("width", (40, 41, 50, 60, 80))
def test_a_place_is_never_broken(width: int) -> None:
    place = "my projects/the shop of ann/application.py:1234"
    lines = wrap(f"{place}  open('a very long name of a file.json', 'w')", width, indent=8)
    assert any(place in line for line in lines)


def test_a_narrower_terminal_than_forty_columns_counts_as_forty() -> None:
    assert wrap("a b c d", 1, indent=4) == ["    a b c d"]


def test_blanks_in_front_of_a_line_add_to_its_indent() -> None:
    assert wrap("  lib.py:3  f()", 80, indent=8) == ["          lib.py:3  f()"]
    assert wrap("one\n\n  two", 80, indent=2) == ["  one", "", "    two"]
