"""That the proof finds what is not sealed, where nothing is mounted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from forked import in_a_fork

from pytest_stateless.forkserver import folders
from pytest_stateless.guest.sandbox import linux
from pytest_stateless.guest.sandbox.apply import apply
from pytest_stateless.guest.sandbox.plan import (
    DetourPython,
    DropCapabilities,
    ForbidNewPrivileges,
    RestrictWrites,
    plan_instance,
)
from pytest_stateless.guest.sandbox.prove import prove
from pytest_stateless.guest.sealing import prepare_detours, seal_process
from pytest_stateless.wire.control import Seal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_stateless.errors import SandboxSetupError
    from pytest_stateless.guest.sandbox.plan import Operation
    from pytest_stateless.model.isolation import IsolationName

pytestmark = [
    pytest.mark.usefixtures("sandbox"),
    pytest.mark.filterwarnings("ignore:This process:DeprecationWarning"),
]

SIZE = 1 << 20
others = pytest.mark.parametrize("isolation", ("landlock", "fake"))


@pytest.fixture
def private() -> Iterator[str]:
    base = folders.make_base()
    yield folders.make(base, "1")
    folders.remove(base)


def proved_without(
    isolation: IsolationName, private: str, *kinds: type, then: Callable[[], None] = lambda: None
) -> SandboxSetupError | None:
    seal = Seal(tmp_bytes=SIZE, isolation=isolation)

    def work() -> None:
        prepare_detours()
        plan = plan_instance(seal, is_privileged=linux.has_capability(21), private=private)
        apply(tuple(one for one in plan if not isinstance(one, kinds)))
        then()
        prove(seal)

    return in_a_fork(work)


@others
def test_the_whole_plan_holds(isolation: IsolationName, private: str) -> None:
    assert proved_without(isolation, private) is None


@others
def test_a_process_can_be_sealed_by_whoever_has_forked_it(
    isolation: IsolationName, private: str
) -> None:
    seal = Seal(tmp_bytes=SIZE, isolation=isolation)
    assert in_a_fork(lambda: seal_process(seal, is_privileged=False, private=private)) is None


def test_a_kernel_that_was_not_asked_to_refuse_is_found(private: str) -> None:
    error = proved_without("landlock", private, RestrictWrites)
    assert error is not None
    assert error.operation.startswith("proof: a file could be created in ")
    assert [path.name for path in Path(private).parent.iterdir()] == ["1"]
    assert not Path("/tmp/.pytest-stateless-probe").exists()


@others
def test_privileges_that_programs_can_gain_are_found(
    isolation: IsolationName, private: str
) -> None:
    error = proved_without(isolation, private, ForbidNewPrivileges)
    assert error is not None
    allowed = {"proof: programs can gain privileges"}
    if os.geteuid():  # an ordinary process must forbid them before it may restrict itself
        allowed |= {error.operation} if error.syscall == "landlock_restrict_self" else set()
    assert error.operation in allowed


@others
@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user has no capabilities to keep")
def test_capabilities_that_are_left_are_found(isolation: IsolationName, private: str) -> None:
    error = proved_without(isolation, private, DropCapabilities)
    assert error is not None
    assert error.operation == "proof: capabilities are left"


def test_an_interpreter_that_refuses_nothing_is_found(private: str) -> None:
    error = proved_without("fake", private, DetourPython)
    assert error is not None
    assert error.operation.startswith("proof: a file ")


@others
def test_a_guard_that_has_been_taken_away_is_found(isolation: IsolationName, private: str) -> None:
    def undo() -> None:
        from pytest_stateless.guest.sandbox.detour.session import SESSION

        SESSION.guard = None

    error = proved_without(isolation, private, then=undo)
    assert error is not None
    assert error.operation.startswith("proof: ")


@others
def test_a_tmp_of_another_size_is_found(isolation: IsolationName, private: str) -> None:
    def grow() -> None:
        from pytest_stateless.guest.sandbox.detour.session import SESSION

        assert SESSION.quota is not None
        SESSION.quota.size_bytes = 2 * SIZE

    error = proved_without(isolation, private, then=grow)
    assert error is not None
    assert error.operation == f"proof: /tmp has {2 * SIZE} bytes instead of {SIZE}"


def plan_with_a_missing_folder(private: str) -> tuple[Operation, ...]:
    seal = Seal(tmp_bytes=SIZE, isolation="landlock", writable=("/does/not/exist",))
    return plan_instance(seal, is_privileged=False, private=private)


def test_a_folder_that_does_not_exist_is_named(private: str) -> None:
    plan = plan_with_a_missing_folder(private)
    error = in_a_fork(lambda: apply(plan))
    assert error is not None
    assert error.operation.startswith("restrict writes (folders=(")
    assert (error.syscall, error.errno) == ("open '/does/not/exist'", 2)
