"""The fixture `stateless`."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest

from pytest_stateless.plugin.options import settings_for
from pytest_stateless.plugin.services import services_of
from pytest_stateless.plugin.state import STATE
from pytest_stateless.plugin.verdicts import keep_late_findings, report_width

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_stateless.service.protocol import Service
    from pytest_stateless.session.stateless import Stateless


@pytest.fixture(scope="session")
def stateless(
    pytestconfig: pytest.Config,
    tmp_path_factory: pytest.TempPathFactory,
    stateless_services: Iterable[Service],
) -> Iterator[Stateless]:
    """A small serverless platform: each request is served by a fresh, sealed instance.

    Set `stateless_app = "module:attribute"` in the ini file, then use it as a client:
    `stateless.get("/")`, `stateless.post("/cart", json={...})`.

    Yields:
        The platform's face.
    """
    from pytest_stateless.plugin.patches import PatchWatch  # noqa: PLC0415 (only where it is used)
    from pytest_stateless.session.platform import Platform  # noqa: PLC0415 (heavy)
    from pytest_stateless.session.provision import Surroundings  # noqa: PLC0415
    from pytest_stateless.session.stateless import Stateless  # noqa: PLC0415

    state = pytestconfig.stash[STATE]
    surroundings = Surroundings(
        rootdir=str(pytestconfig.rootpath.resolve()),
        basetemp=str(tmp_path_factory.getbasetemp().resolve()),
        width=report_width(),
    )
    platform = Platform(surroundings, is_enforced=not state.not_enforced)
    platform.services = services_of(state)
    for service in stateless_services:
        platform.services.add(service)
    platform.services.enter(stateless_services)
    state.platform = platform
    state.stateless = Stateless(platform)
    test = state.item.nodeid if state.item is not None else ""
    platform.configure(settings_for(pytestconfig, state.item), test)
    patches = PatchWatch()
    patches.install()
    platform.before_import = functools.partial(patches.warn, platform)
    yield state.stateless
    patches.remove()
    for service in stateless_services:
        platform.services.remove(service)
    keep_late_findings(state)
    state.platform = None
    state.stateless = None
    totals = platform.close()
    totals.not_enforced = state.not_enforced
    state.totals.append(totals)
