"""Tests that run under every isolation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_stateless.model.isolation import NAMES
from pytest_stateless.session.settings import Layer, resolve

if TYPE_CHECKING:
    from pytest_stateless.model.isolation import IsolationName
    from pytest_stateless.session.settings import Settings


def settings_of(isolation: IsolationName, **values: object) -> Settings:
    return resolve(Layer(origin="marker", values={"isolation": isolation, **values}))


under_each_isolation = pytest.mark.parametrize("isolation", NAMES, indirect=True)
