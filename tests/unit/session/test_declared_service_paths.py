from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_stateless.errors import ConfigurationError
from pytest_stateless.session.platform import Platform
from pytest_stateless.session.provision import Surroundings
from pytest_stateless.session.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(Surroundings(rootdir=str(tmp_path), basetemp=str(tmp_path)))


def test_a_service_path_of_the_settings_may_be_a_file_and_may_be_made_late(
    platform: Platform, tmp_path: Path
) -> None:
    platform.configure(Settings(service_paths=(str(tmp_path / "var"), str(tmp_path / "db/x.db"))))
    (tmp_path / "var").mkdir()
    (tmp_path / "db").mkdir()
    (tmp_path / "db/x.db").touch()

    assert platform.recipe().seal.writable == (str(tmp_path / "db"), str(tmp_path / "var"))


def test_a_service_path_that_does_not_exist_is_refused_by_name(
    platform: Platform, tmp_path: Path
) -> None:
    missing = tmp_path / "no" / "such"
    platform.configure(Settings(service_paths=(str(missing),)))

    with pytest.raises(ConfigurationError, match="such' does not exist"):
        platform.recipe()
    with pytest.raises(ConfigurationError, match="such' does not exist"):
        platform.declare_service_path(str(missing))
