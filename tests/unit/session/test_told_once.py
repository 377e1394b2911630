from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_stateless.session.platform import Platform
from pytest_stateless.session.provision import Surroundings
from pytest_stateless.session.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

ONE = ("shop:app", "import of shop", "KeyError: 'TABLE'")
TWO = ("shop:app", "import of shop", "KeyError: 'STAGE'")


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(Surroundings(rootdir=str(tmp_path), basetemp=str(tmp_path)))


def test_why_an_app_cannot_start_is_told_in_full_in_one_test_only(platform: Platform) -> None:
    told = []
    for test, failure in (("first", ONE), ("second", ONE), ("third", TWO)):
        platform.configure(Settings(), test)
        told.append((platform.note_failed_start(failure), platform.note_failed_start(failure)))
        platform.note_told()

    # twice in the first test: what Hypothesis shows is its last run of an example
    assert told == [("", ""), ("first", "first"), ("", "")]


def test_a_test_whose_report_does_not_show_it_has_not_told_it(platform: Platform) -> None:
    platform.configure(Settings(), "expects the failure, and passes")
    platform.note_failed_start(ONE)
    platform.configure(Settings(), "fails for another reason")
    platform.note_told()
    platform.configure(Settings(), "fails by it")
    assert not platform.note_failed_start(ONE)
