from __future__ import annotations

import contextlib
import keyword

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_stateless.errors import ConfigurationError
from pytest_stateless.model.app_reference import AppReference, parse_app_reference
from pytest_stateless.model.finding import Finding
from pytest_stateless.model.first_party import FirstParty
from pytest_stateless.model.quantity import (
    format_duration,
    format_size,
    parse_duration,
    parse_size,
)
from pytest_stateless.model.rule import RULES, Severity
from pytest_stateless.model.suppression import parse_suppression

SIZE_UNITS = {"": 1, "B": 1, "KB": 2**10, "MiB": 2**20, "gb": 2**30}
TIME_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}

blanks = st.sampled_from(("", " ", "  "))
identifiers = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: not keyword.iskeyword(name)
)
literals = st.recursive(
    st.none() | st.booleans() | st.integers(0, 999) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(identifiers, inner, max_size=2),
    max_leaves=4,
)
names = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
paths = st.lists(names, min_size=1, max_size=4).map("/".join)
noise = st.text(max_size=40) | st.text("0123456789. kmgtbKMGTBsinhpd-+eE", max_size=12)


@given(number=st.integers(1, 10**6), unit=st.sampled_from(sorted(SIZE_UNITS)), blank=blanks)
def test_a_size_with_a_unit_is_that_many_bytes(number: int, unit: str, blank: str) -> None:
    assert parse_size(f"{blank}{number}{blank}{unit}", name="x") == number * SIZE_UNITS[unit]


@given(number=st.integers(1, 10**6), unit=st.sampled_from(sorted(TIME_UNITS)), blank=blanks)
def test_a_duration_with_a_unit_is_that_many_seconds(number: int, unit: str, blank: str) -> None:
    parsed = parse_duration(f"{number}{blank}{unit}", name="x")
    assert parsed == pytest.approx(number * TIME_UNITS[unit])


@given(size=st.integers(1, 2**45))
def test_a_size_as_shown_can_be_read_and_is_near(size: int) -> None:
    shown = format_size(size).removesuffix("ytes").removesuffix(" b")
    assert parse_size(shown, name="x") == pytest.approx(size, rel=0.05)


@given(duration=st.floats(1e-6, 1e6))
def test_a_duration_as_shown_can_be_read_and_is_near(duration: float) -> None:
    shown = format_duration(duration)
    if "e" not in shown:
        assert parse_duration(shown, name="x") == pytest.approx(duration, rel=0.01)


@given(value=noise | st.floats() | st.integers() | st.none() | st.booleans() | st.binary())
def test_any_value_is_a_positive_quantity_or_a_configuration_error(value: object) -> None:
    with contextlib.suppress(ConfigurationError):
        assert parse_size(value, name="x") >= 0
    with contextlib.suppress(ConfigurationError):
        assert parse_duration(value, name="x") > 0


@given(
    modules=st.lists(identifiers, min_size=1, max_size=3),
    attributes=st.lists(identifiers, min_size=1, max_size=3),
    args=st.lists(literals, max_size=2),
    kwargs=st.dictionaries(identifiers, literals, max_size=2),
    kind=st.sampled_from((None, "wsgi", "asgi", "lambda")),
    is_factory=st.booleans(),
)
def test_an_app_reference_comes_back_as_written(  # noqa: PLR0913 (the parts of a reference)
    *,
    modules: list[str],
    attributes: list[str],
    args: list[object],
    kwargs: dict[str, object],
    kind: str | None,
    is_factory: bool,
) -> None:
    shown = [*map(repr, args), *(f"{key}={value!r}" for key, value in kwargs.items())]
    call = f"({', '.join(shown)})" if is_factory else ""
    text = f"{f'{kind}:' if kind else ''}{'.'.join(modules)}:{'.'.join(attributes)}{call}"
    assert parse_app_reference(text) == AppReference(
        text=text,
        module=".".join(modules),
        attributes=tuple(attributes),
        is_factory=is_factory,
        args=tuple(args) if is_factory else (),
        kwargs=kwargs if is_factory else {},
        kind=kind,  # type: ignore[arg-type]  # drawn from the very literals
    )


@given(text=st.text(max_size=60) | st.text("ab.:()'\"[]{}=,*\\ \n\0", max_size=40))
def test_any_text_is_an_app_reference_or_a_configuration_error(text: str) -> None:
    with contextlib.suppress(ConfigurationError):
        assert parse_app_reference(text).attributes


@given(
    rule=st.sampled_from(sorted(RULES)),
    pattern=paths,
    reason=st.text(min_size=1, max_size=20).filter(str.strip),
    blank=blanks,
)
def test_a_suppression_comes_back_as_written(
    rule: str, pattern: str, reason: str, blank: str
) -> None:
    parsed = parse_suppression(f"{blank}{rule}:{pattern}{blank}#{reason}")
    assert (parsed.rule, parsed.pattern, parsed.reason) == (rule, pattern, reason.strip())


@given(text=st.text(max_size=30) | st.text("SL105:#* /x", max_size=20))
def test_any_text_is_a_suppression_with_a_reason_or_a_configuration_error(text: str) -> None:
    with contextlib.suppress(ConfigurationError):
        assert parse_suppression(text).reason


@given(rule=st.sampled_from(sorted(RULES)), other=st.sampled_from(sorted(RULES)), path=paths)
def test_a_suppression_accepts_its_rule_only(rule: str, other: str, path: str) -> None:
    finding = Finding(
        rule=other,
        severity=Severity.ERROR,
        message="m",
        path=path,
        line=1,
        cause="c",
        evidence=(),
        fix="f",
    )
    for pattern in ("", f":{path}", ":*", f":{path[:1]}*"):
        assert parse_suppression(f"{rule}{pattern}  # r").accepts(finding) is (rule == other)
    assert not parse_suppression(f"{other}:{path}x  # r").accepts(finding)


@given(below=paths, root=paths, name=names)
def test_the_rootdirs_files_are_first_party_and_installed_ones_by_name(
    below: str, root: str, name: str
) -> None:
    first_party = FirstParty(roots=(f"/{root}",), excluded=(f"/{root}/.venv",), names=(name,))
    assert first_party.owns_file(f"/{root}/{below}.py")
    assert not first_party.owns_file(f"/{root}x/{below}.py")
    assert not first_party.owns_file(f"/{root}/.venv/{below}.py")
    assert first_party.owns_file(f"/v/site-packages/{name}/{below}.py")
    assert first_party.owns_file(f"/{root}/.venv/site-packages/{name}.py")
    assert not first_party.owns_file(f"/{root}/site-packages/{name}x/{below}.py")


@given(path=st.text(max_size=40), roots=st.lists(st.text(max_size=10), max_size=2).map(tuple))
def test_any_path_is_owned_or_not(path: str, roots: tuple[str, ...]) -> None:
    assert FirstParty(roots=roots).owns_file(path) in {True, False}
