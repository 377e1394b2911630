from __future__ import annotations

import itertools
from typing import get_args

import pytest

from pytest_stateless.model.isolation import (
    ISOLATIONS,
    NAMES,
    IsolationName,
    find_isolation,
    is_at_least,
)
from pytest_stateless.session.options import Isolation


def test_every_isolation_that_the_option_takes_is_in_the_table() -> None:
    assert {*get_args(Isolation)} == {"auto", *ISOLATIONS}
    assert tuple(ISOLATIONS) == NAMES == ("namespace", "landlock", "fake")
    assert all(isolation.name == name for name, isolation in ISOLATIONS.items())


@pytest.mark.parametrize(("one", "other"), tuple(itertools.product(NAMES, NAMES)))
def test_the_order_of_names_is_that_of_strength(one: IsolationName, other: IsolationName) -> None:
    assert is_at_least(one, other) == (NAMES.index(one) <= NAMES.index(other))


def test_only_what_the_kernel_does_alone_has_no_gaps() -> None:
    assert [name for name in NAMES if not find_isolation(name).gaps] == ["namespace"]
    assert find_isolation("fake").lacks("programs")
    assert not find_isolation("landlock").lacks("programs")


def test_a_gap_of_two_isolations_reads_alike() -> None:
    texts: dict[str, set[str]] = {}
    for isolation in ISOLATIONS.values():
        for gap in isolation.gaps:
            texts.setdefault(gap.name, set()).add(gap.text)
    assert all(len(one) == 1 for one in texts.values())
