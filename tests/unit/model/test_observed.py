from __future__ import annotations

import pytest

from pytest_stateless.model.observed import Difference, Observed, Volatile, compare

CAT = {"sha256": "aa", "modified": Volatile("12:00")}


def test_what_is_equal_but_for_what_is_volatile_has_no_difference() -> None:
    later = {"sha256": "aa", "modified": Volatile("12:01")}
    assert list(compare({"s3": {"cat.png": CAT}}, {"s3": {"cat.png": later}})) == []


@pytest.mark.parametrize(
    ("one", "other", "path", "shown"),
    (
        ({"a": {"b": 1}}, {"a": {"b": 2}}, "a.b", ("1", "2")),
        ({"a": 1}, {}, "a", ("1", "nothing")),
        ({}, {"a": None}, "a", ("nothing", "None")),
        ({"a": [1, 2]}, {"a": [1, 3]}, "a[1]", ("2", "3")),
        ({"a": [1]}, {"a": [1, 3]}, "a", ("[1]", "[1, 3]")),
        ({"a": Volatile(1)}, {"a": 1}, "a", ("Volatile(value=1)", "1")),
        ({"a": "x"}, {"a": {"b": "x"}}, "a", ("'x'", "{'b': 'x'}")),
        (1, 2, "", ("1", "2")),
    ),
)
def test_a_difference_is_told_where_it_is(
    one: Observed, other: Observed, path: str, shown: tuple[str, str]
) -> None:
    assert list(compare(one, other)) == [Difference(path=path, one=shown[0], other=shown[1])]


def test_differences_come_in_the_order_of_their_keys() -> None:
    found = compare({"b": 1, "a": 1, "c": 1}, {"c": 2, "b": 2, "a": 1})
    assert [one.path for one in found] == ["b", "c"]
