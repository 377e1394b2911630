from __future__ import annotations

import json
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_stateless.judge.merge import merge
from pytest_stateless.model.finding import Finding
from pytest_stateless.model.rule import RULES, Severity
from pytest_stateless.model.totals import FindingTotal, SessionTotals
from pytest_stateless.report.finding import format_finding
from pytest_stateless.report.mask import MASK, mask

SECRET_WORDS = ("SECRET", "TOKEN", "PASSWORD", "PASSWD", "KEY", "CREDENTIAL", "COOKIE")
HARMLESS_NAMES = ("keyboard", "monkey", "sku", "turkey", "user", "tokens", "hockey", "KeyError")
TEMPLATES = (
    "{name}={value}",
    "export {name}={value} && run",
    "{name}: {value}",
    "{{'{name}': '{value}', 'sku': 'tea'}}",
    '{{"{name}": "{value}"}}',
    "('{name}', b'{value}')",
    "f({name}='{value}', sku='tea')",
    "f(sku=1, {name}={value})",
    "GET /x?a=1&{name}={value}&b=2",
    "os.environ['{name}'] = '{value}'",
    'app.config.{name} = "{value}"',
)
values = st.text("abcdefghijABCDEFGHIJ0123456789/+._-$!%~^", min_size=6, max_size=30)
prefixes = st.sampled_from(("", "MY_", "aws_", "X-", "db2_"))


def cased(word: str) -> st.SearchStrategy[str]:
    return st.sampled_from((word, word.lower(), word.capitalize()))


secret_names = st.builds(
    "{}{}".format, prefixes, st.sampled_from(SECRET_WORDS).flatmap(cased)
).filter(lambda name: name != "Key")
texts = st.text(max_size=30) | st.text("abc:/.'\"=,;&() \n", max_size=40)
findings = st.builds(
    Finding,
    rule=st.sampled_from(sorted(RULES)),
    severity=st.sampled_from(Severity),
    message=texts,
    path=st.sampled_from(("", "shop/app.py", "cart/with a blank.py")),
    line=st.integers(0, 3),
    cause=texts,
    evidence=st.lists(texts, max_size=3).map(tuple),
    fix=texts,
    request=st.sampled_from(("", "GET /1", "GET /2")),
)


@pytest.mark.parametrize("template", TEMPLATES)
@given(name=secret_names, value=values)
def test_a_secrets_value_is_never_shown(template: str, name: str, value: str) -> None:
    # a tuple ("key", "x") may be about any key
    assume(name != "key" or "', b'" not in template)
    masked = mask(template.format(name=name, value=value))
    assert value not in masked
    assert masked == template.format(name=name, value=MASK)


@pytest.mark.parametrize("template", TEMPLATES)
@given(name=st.sampled_from(HARMLESS_NAMES), value=values)
def test_an_ordinary_value_is_shown(template: str, name: str, value: str) -> None:
    text = template.format(name=name, value=value)
    assert mask(text) == text


@given(user=st.text("abc", max_size=5), password=values, host=st.sampled_from(("h", "db.x:5432")))
def test_a_password_in_a_url_is_never_shown(user: str, password: str, host: str) -> None:
    # http://host:8000/users/@me is a port and a path: digits and a slash begin no password
    assume(not re.match(r"\d+/", password))
    masked = mask(f"connect to postgresql+psycopg://{user}:{password}@{host}/db")
    assert masked == f"connect to postgresql+psycopg://{user}:{MASK}@{host}/db"


@pytest.mark.parametrize("name", ("Authorization", "Cookie", "Set-Cookie", "Proxy-Authorization"))
@given(value=st.text("abc123=;, .", min_size=1).filter(str.strip))
def test_a_header_is_masked_to_the_end_of_its_line(name: str, value: str) -> None:
    assert mask(f"{name}: x{value}\nHost: h") == f"{name}: {MASK}\nHost: h"


@given(text=texts | st.text("token=key: '\"&,\n\\", max_size=40))
def test_masking_is_total_and_settles(text: str) -> None:
    once = mask(text)
    assert mask(once) == once


@given(text=st.text("0123456789 .,()/-", max_size=40))
def test_a_text_without_names_stays_as_it_is(text: str) -> None:
    assert mask(text) == text


@given(finding=findings, width=st.integers(1, 200))
def test_every_finding_has_a_headline_of_one_line_and_indented_lines(
    finding: Finding, width: int
) -> None:
    headline, *rest = format_finding(finding, width).split("\n")
    assert headline.startswith(
        f"{finding.place}: {finding.rule} " if finding.path else finding.rule
    )
    assert all(line.startswith("    ") or not line for line in rest)


@given(width=st.integers(40, 120), words=st.lists(st.text("abc", min_size=1, max_size=9)))
def test_no_line_is_wider_than_the_terminal_where_its_words_fit(
    width: int, words: list[str]
) -> None:
    finding = Finding(
        rule="SL101",
        severity=Severity.ERROR,
        message="m",
        path="a.py",
        line=1,
        cause=" ".join(words),
        evidence=("a.py:1  " + " ".join(words) + "   refused: " + " ".join(words),),
        fix=" ".join(words),
    )
    _, *rest = format_finding(finding, width).split("\n")
    assert all(len(line) <= width for line in rest)


@given(found=st.lists(findings, max_size=6))
def test_merging_keeps_every_place_once_and_the_worst_severity(found: list[Finding]) -> None:
    merged = merge(found)
    assert {(one.rule, one.place) for one in merged} == {(one.rule, one.place) for one in found}
    placed = [(one.rule, one.place) for one in merged if one.place]
    assert len(placed) == len(set(placed))
    for one in merged:
        if one.place:
            same = [o.severity for o in found if (o.rule, o.place) == (one.rule, one.place)]
            assert one.severity.reaches(max(same, key=list(Severity).index))


totals = st.builds(
    SessionTotals,
    requests=st.integers(0, 9),
    instances=st.integers(0, 9),
    cold_starts_s=st.lists(st.floats(0, 9), max_size=3),
    handlings_s=st.lists(st.floats(0, 9), max_size=3),
    findings=st.lists(
        st.builds(
            FindingTotal,
            rule=st.sampled_from(sorted(RULES)),
            place=st.sampled_from(("", "a.py:1", "b.py:2")),
            message=st.just("m"),
            severity=st.sampled_from(Severity),
            tests=st.lists(st.sampled_from(("t1", "t2", "t3")), min_size=1, unique=True),
        ),
        max_size=3,
        unique_by=lambda one: (one.rule, one.place),
    ),
    accepted=st.integers(0, 9),
    not_enforced=st.sampled_from(("", "--pdb")),
    dropped=st.lists(st.tuples(st.sampled_from(("m", "n")), st.just("why")), unique=True),
)


@given(one=totals)
def test_totals_survive_json(one: SessionTotals) -> None:
    assert SessionTotals.from_plain(json.loads(json.dumps(one.to_plain()))) == one


@given(parts=st.lists(totals, max_size=3))
def test_merging_totals_in_steps_or_at_once_is_the_same(parts: list[SessionTotals]) -> None:
    whole = SessionTotals.merged(parts)
    in_steps = SessionTotals()
    for part in parts:
        in_steps = SessionTotals.merged([in_steps, part])
    assert in_steps == whole
