from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_stateless.model.operation import Operation, Resource

RESOURCES = st.lists(st.sampled_from("ab"), max_size=3).map(lambda names: ("s3", *names))
OPERATIONS = st.builds(
    Operation,
    service=st.just("s3"),
    action=st.just("GetObject"),
    reads=st.lists(RESOURCES, max_size=2).map(tuple),
    writes=st.lists(RESOURCES, max_size=2).map(tuple),
)
ALL: Resource = ("s3",)
BUCKET: Resource = ("s3", "photos")
CAT: Resource = ("s3", "photos", "cat.png")
DOG: Resource = ("s3", "photos", "dog.png")


def reading(*resources: Resource) -> Operation:
    return Operation(service="s3", action="GetObject", reads=resources)


def writing(*resources: Resource) -> Operation:
    return Operation(service="s3", action="PutObject", writes=resources)


@pytest.mark.parametrize(
    ("one", "other", "depends"),
    (
        (reading(CAT), reading(CAT), False),
        (reading(CAT), writing(CAT), True),
        (writing(CAT), writing(CAT), True),
        (writing(CAT), writing(DOG), False),
        (writing(CAT), reading(BUCKET), True),
        (reading(CAT), writing(ALL), True),
        (reading(CAT, DOG), writing(DOG), True),
        (writing(CAT), Operation(service="sqs", action="SendMessage", writes=(("sqs",),)), False),
    ),
)
def test_two_depend_on_each_other_if_one_writes_what_the_other_touches(
    one: Operation,
    other: Operation,
    depends: bool,  # noqa: FBT001 (a parameter of the test)
) -> None:
    assert one.depends_on(other) is depends


@given(OPERATIONS, OPERATIONS)
def test_it_depends_on_no_order(one: Operation, other: Operation) -> None:
    assert one.depends_on(other) is other.depends_on(one)
