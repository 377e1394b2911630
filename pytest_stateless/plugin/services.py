"""The fixture `stateless_aws`, and what tests find services to hold.

A fixture of a class, module, package or session that has changed a service is followed by a
snapshot, which every later test begins with until that fixture is torn down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_stateless.plugin.state import STATE

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from pytest_stateless.errors import ServiceError
    from pytest_stateless.plugin.state import State
    from pytest_stateless.service.aws.service import Aws
    from pytest_stateless.service.protocol import Service
    from pytest_stateless.session.services import Services

_AWS = "stateless_aws"
_FIXTURES = frozenset({_AWS, "stateless_services", "stateless"})
"""Through which services are had."""


@pytest.fixture(scope="session")
def stateless_aws(pytestconfig: pytest.Config) -> Iterator[Aws]:
    """AWS for the test and for its instances: S3, DynamoDB, SQS, SNS and more, by moto.

    boto3 and its like find it by the environment, while a test that asks for it runs. Each test
    begins with what the fixtures of its class, module and session have put there.

    Yields:
        An object with `client(name)`, `resource(name)`, `endpoint_url` and `observe()`.
    """
    from pytest_stateless.service.aws.service import Aws  # noqa: PLC0415 (only where it is used)

    services = services_of(pytestconfig.stash[STATE])
    aws = Aws()
    services.add(aws)
    services.enter([aws])
    yield aws
    services.remove(aws)


@pytest.fixture(scope="session")
def stateless_services() -> Iterable[Service]:
    """What else outlives instances; a suite overrides this one, with the scope of the session.

    Returns:
        Objects with the methods of `pytest_stateless.service.protocol.Service`.
    """
    return ()


def services_of(state: State) -> Services:
    """Return the session's services, made when they are first asked for."""
    from pytest_stateless.session.services import Services  # noqa: PLC0415 (only where it is used)

    if state.services is None:
        state.services = Services()
    return state.services


def begin_test(item: pytest.Item, state: State) -> ServiceError | None:
    """Put services back before a test's fixtures are set up, and let it find those it asks for.

    Args:
        item: The test.
        state: The session's own.

    Returns:
        Why that did not work; None if it did.
    """
    if state.services is None:
        return None
    from pytest_stateless.errors import ServiceError  # noqa: PLC0415 (only where it is used)

    try:
        state.services.put_back()
    except ServiceError as error:
        return error
    names = _FIXTURES.intersection(getattr(item, "fixturenames", ()))
    state.services.enter(
        service
        for service in state.services.all
        if (_AWS in names if service.name == "aws" else names)
    )
    return None


def failed_service(state: State) -> ServiceError | None:
    """See whether the services that a test has asked for are still there.

    Args:
        state: The session's own.

    Returns:
        What one that has ended says; None if all are there.
    """
    if state.services is None:
        return None
    from pytest_stateless.errors import ServiceError  # noqa: PLC0415 (only where it is used)

    try:
        state.services.check()
    except ServiceError as error:
        return error
    return None


def end_test(item: pytest.Item, state: State) -> None:
    """Let the process forget how services are found, and what the test has kept.

    Args:
        item: The test.
        state: The session's own.
    """
    if state.services is not None:
        state.services.leave()
        state.services.forget(item)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Keep what a fixture that outlives the test has done to services.

    Returns:
        What the other implementations return.
    """
    result = yield
    services = request.config.stash[STATE].services
    is_own = fixturedef.argname in _FIXTURES
    if services is not None and fixturedef.scope != "function" and not is_own:
        knows_services = not _FIXTURES.isdisjoint(fixturedef.argnames)
        services.keep(fixturedef, knows_services=knows_services)
    return result


def pytest_fixture_post_finalizer(
    fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
) -> None:
    """Forget it when the fixture is torn down."""
    services = request.config.stash[STATE].services
    if services is not None and fixturedef.scope != "function":
        services.forget(fixturedef)
