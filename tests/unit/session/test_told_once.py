from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stateless.session.platform import Platform
from pytest_stateless.session.provision import Surroundings
from pytest_stateless.session.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


def test_why_an_app_cannot_start_is_told_in_full_in_one_test_only(tmp_path: Path) -> None:
    platform = Platform(Surroundings(rootdir=str(tmp_path), basetemp=str(tmp_path)))

    told = []
    for failure in ("one", "one", "two"):
        platform.configure(Settings())
        told.append((platform.is_news(failure), platform.is_news(failure)))

    # twice in the first test: what Hypothesis shows is its last run of an example
    assert told == [(True, True), (False, False), (True, True)]
