from __future__ import annotations

import pytest

from pytest_stateless.errors import ConfigurationError
from pytest_stateless.model.finding import Finding
from pytest_stateless.model.first_party import FirstParty
from pytest_stateless.model.place import Frame, frames_within, innermost_first_party
from pytest_stateless.model.platform import PROFILES, find_profile
from pytest_stateless.model.quantity import (
    GB,
    KB,
    MB,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
)
from pytest_stateless.model.rule import RULES, Severity
from pytest_stateless.model.suppression import parse_suppression


def frame(*, is_first_party: bool) -> Frame:
    return Frame(path="/x.py", line=1, function="f", is_first_party=is_first_party)


def test_every_rule_is_listed_under_its_code() -> None:
    assert all(rule.code == code and rule.name and rule.summary for code, rule in RULES.items())


def test_an_error_reaches_every_threshold_and_a_warning_its_own() -> None:
    assert Severity.ERROR.reaches(Severity.WARNING)
    assert Severity.WARNING.reaches(Severity.WARNING)
    assert not Severity.WARNING.reaches(Severity.ERROR)


@pytest.mark.parametrize(("path", "line", "place"), (("a.py", 3, "a.py:3"), ("", 0, "")))
def test_a_finding_names_its_place_and_its_rule(path: str, line: int, place: str) -> None:
    finding = Finding(
        rule="SL103",
        severity=Severity.ERROR,
        message="m",
        path=path,
        line=line,
        cause="c",
        evidence=(),
        fix="f",
    )
    assert (finding.place, finding.name) == (place, "tmp-full")


def test_the_innermost_first_party_frame_ends_the_librarys_part_of_a_stack() -> None:
    inner, own, outer = (frame(is_first_party=owned) for owned in (False, True, False))
    assert innermost_first_party((inner, own, outer)) is own
    assert frames_within((inner, own, outer)) == (inner,)
    assert innermost_first_party((inner,)) is None
    assert frames_within((inner,)) == (inner,)


def test_every_platform_states_its_sources() -> None:
    assert all(profile.sources and profile.name == name for name, profile in PROFILES.items())
    assert find_profile("aws-lambda").tmp_bytes == 512 * MB


def test_an_unknown_platform_is_refused_with_the_choices() -> None:
    with pytest.raises(ConfigurationError, match=r"'azure' is not known; choose one of aws-lambda"):
        find_profile("azure")


@pytest.mark.parametrize(
    ("text", "size"),
    ((1, 1), ("7", 7), ("512 MB", 512 * MB), ("4.5mb", int(4.5 * MB)), (" 2GiB ", 2 * GB)),
)
def test_a_size_is_read(text: object, size: int) -> None:
    assert parse_size(text, name="tmp_size") == size


@pytest.mark.parametrize("text", ("12 parsecs", "", "MB", "-1", 0, True, None, "1e3", 1e400))
def test_what_is_no_size_is_refused_with_its_name(text: object) -> None:
    with pytest.raises(ConfigurationError, match="tmp_size = "):
        parse_size(text, name="tmp_size")


@pytest.mark.parametrize(
    ("text", "duration"), ((3, 3.0), ("250 ms", 0.25), ("30 s", 30.0), ("2 min", 120.0))
)
def test_a_duration_is_read(text: object, duration: float) -> None:
    assert parse_duration(text, name="timeout") == duration


def test_quantities_are_shown_short() -> None:
    assert [format_size(size) for size in (5, KB, int(4.5 * MB), GB)] == [
        "5 bytes",
        "1 KB",
        "4.5 MB",
        "1 GB",
    ]
    assert [format_duration(s) for s in (0.004, 0.25, 3, 31.26)] == [
        "4 ms",
        "250 ms",
        "3 s",
        "31.3 s",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    (
        ("SL999  # x", "rule 'SL999' is not known"),
        ("SL101", "gives no reason"),
        ("SL101:a/*  #  ", "gives no reason"),
        ("", "rule '' is not known"),
    ),
)
def test_a_suppression_needs_a_rule_and_a_reason(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse_suppression(text)


@pytest.mark.parametrize(
    ("path", "expected"),
    (
        ("/w/shop/app.py", True),
        ("/w/.venv/lib/python3.12/site-packages/flask/app.py", False),
        ("/w/.venv/lib/python3.12/site-packages/shop/app.py", True),
        ("/w/.venv/lib/python3.12/site-packages/shop.py", True),
        ("/usr/lib/python3/dist-packages/shop/app.py", True),
        ("/w/.venv/bin/run.py", False),
        ("/srv/app.py", False),
        ("<string>", False),
        ("/w", False),
    ),
)
def test_first_party_is_what_the_user_wrote_wherever_it_lies(path: str, *, expected: bool) -> None:
    first_party = FirstParty(roots=("/w",), excluded=("/w/.venv",), names=("shop",))
    assert first_party.owns_file(path) is expected
