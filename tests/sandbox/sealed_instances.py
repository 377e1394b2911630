"""Fixtures: a platform of sealed instances to attack, and a watched piece of the host."""

# What `os` does is what is tested, so it is not done with pathlib.
from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from each_isolation import settings_of
from watched_host import Host

from pytest_stateless.forkserver.probe import probe
from pytest_stateless.session.platform import Platform
from pytest_stateless.session.provision import Surroundings
from pytest_stateless.session.stateless import Stateless

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_stateless.model.isolation import IsolationName

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Sealed:
    """A platform as the plugin makes it, and its face."""

    platform: Platform
    stateless: Stateless


@pytest.fixture(scope="session")
def sealed_session(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Sealed]:
    surroundings = Surroundings(
        rootdir=str(PROJECT), basetemp=str(tmp_path_factory.getbasetemp().resolve())
    )
    platform = Platform(surroundings)
    try:
        yield Sealed(platform, Stateless(platform))
    finally:
        platform.close()


@pytest.fixture
def isolation(request: pytest.FixtureRequest) -> IsolationName:
    """What seals the instances of a test: namespaces, unless it is parametrized with another."""
    name: IsolationName = getattr(request, "param", "namespace")
    refusal = probe(name).refusal
    if refusal and os.environ.get("STATELESS_SANDBOX_REQUIRED") != "1":
        pytest.skip(f"this machine refuses isolation {name} ({refusal})")
    assert refusal == ""
    return name


@pytest.fixture
def sealed(sealed_session: Sealed, isolation: IsolationName) -> Iterator[Sealed]:
    """A platform that remembers nothing of other tests."""
    sealed_session.platform.configure(settings_of(isolation))
    yield sealed_session
    sealed_session.stateless.reset()


@pytest.fixture
def stateless(sealed: Sealed) -> Stateless:
    return sealed.stateless


@pytest.fixture(params=("outside_tmp", "below_tmp"))
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    """A watched folder, once where instances see the host's own mount, once below `/tmp`."""
    if request.param == "below_tmp":
        yield Host(request.getfixturevalue("tmp_path"))
        return
    folder = Path(tempfile.mkdtemp(prefix="stateless-canary-", dir="/var/tmp"))
    try:
        yield Host(folder)
    finally:
        shutil.rmtree(folder)
