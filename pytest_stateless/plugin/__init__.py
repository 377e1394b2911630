"""The pytest plugin: the only importer of pytest.

This module is what pytest loads in every run, also where nobody uses the plugin: it imports
nothing heavy. The platform and its client are imported with the fixture.
"""

from __future__ import annotations

from pytest_stateless.guest import at_fork
from pytest_stateless.plugin.fixtures import stateless
from pytest_stateless.plugin.options import pytest_addoption, pytest_configure
from pytest_stateless.plugin.running import (
    pytest_collection_modifyitems,
    pytest_runtest_call,
    pytest_runtest_makereport,
    pytest_runtest_setup,
    pytest_runtest_teardown,
)
from pytest_stateless.plugin.services import (
    pytest_fixture_post_finalizer,
    pytest_fixture_setup,
    stateless_aws,
    stateless_services,
)
from pytest_stateless.plugin.terminal import (
    pytest_report_header,
    pytest_sessionfinish,
    pytest_terminal_summary,
    pytest_testnodedown,
)

# before other plugins and the suite, whose hooks would run first otherwise
at_fork.register()

__all__ = [
    "pytest_addoption",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_fixture_post_finalizer",
    "pytest_fixture_setup",
    "pytest_report_header",
    "pytest_runtest_call",
    "pytest_runtest_makereport",
    "pytest_runtest_setup",
    "pytest_runtest_teardown",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
    "pytest_testnodedown",
    "stateless",
    "stateless_aws",
    "stateless_services",
]
