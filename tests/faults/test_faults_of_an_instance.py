from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_stateless.errors import InstanceDiedError, RequestTimeoutError
from pytest_stateless.session.platform import Platform
from pytest_stateless.session.provision import Surroundings
from pytest_stateless.session.settings import Layer, resolve
from pytest_stateless.session.stateless import Stateless

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).resolve().parents[2]
DEADLINE_S = 60.0


@pytest.fixture(scope="module")
def platform(
    sandbox: None,  # noqa: ARG001 (a fixture that skips or fails)
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Platform]:
    basetemp = str(tmp_path_factory.getbasetemp().resolve())
    made = Platform(Surroundings(rootdir=str(PROJECT), basetemp=basetemp))
    yield made
    made.close()


def configure(platform: Platform, **values: object) -> Stateless:
    values = {"app": "faulty_app:app", "platform": "cloud-run", **values}
    platform.configure(resolve(Layer(origin="marker", values=values)))
    return Stateless(platform)


@pytest.fixture
def stateless(platform: Platform) -> Iterator[Stateless]:
    made = configure(platform)
    yield made
    made.reset()


def assert_next_request_works(stateless: Stateless) -> None:
    assert stateless.get("/fine").text == "fine"


@pytest.mark.parametrize(
    ("path", "cause"),
    (
        ("/segfault", "died of SIGSEGV"),
        ("/kill", "died of SIGKILL"),
        ("/terminate", "died of SIGTERM"),
        ("/abort", "died of SIGABRT"),
        ("/leave", "ended with exit status 3"),
        ("/write_garbage", "wrote to a descriptor of pytest-stateless"),
        ("/close_descriptors", "lost its connection to pytest-stateless"),
        ("/close_everything", "lost its connection to pytest-stateless"),
        ("/cover_descriptors", "lost its connection to pytest-stateless"),
    ),
)
def test_an_instance_that_dies_is_an_error_that_names_cause_and_request(
    stateless: Stateless, path: str, cause: str
) -> None:
    with pytest.raises(InstanceDiedError) as caught:
        stateless.get(path)
    first_line = str(caught.value).splitlines()[0]
    assert first_line.startswith(f"GET {path} (request 1, instance 1): ")
    assert cause in first_line
    assert_next_request_works(stateless)


def test_a_function_that_exits_does_so_in_the_test_and_with_its_status(
    stateless: Stateless,
) -> None:
    with pytest.raises(SystemExit, match="3"):
        stateless.call(sys.exit, 3)
    assert_next_request_works(stateless)


@pytest.mark.parametrize("path", ("/hang", "/hang_and_refuse_to_end", "/stop"))
def test_an_instance_that_hangs_is_ended_at_the_limit(platform: Platform, path: str) -> None:
    stateless = configure(platform, timeout="1 s")
    with pytest.raises(RequestTimeoutError, match=f"GET {path} .request 1, .* within 1 s"):
        stateless.get(path)
    assert [finding.rule for finding in stateless.findings] == ["SL502"]
    assert_next_request_works(stateless)


def test_an_instance_that_takes_too_much_memory_is_ended(platform: Platform) -> None:
    stateless = configure(platform, memory="150 MB")
    with pytest.raises(InstanceDiedError, match="killed for its memory: over 150 MB"):
        stateless.get("/exhaust")
    assert [finding.rule for finding in stateless.findings] == ["SL503"]
    assert_next_request_works(stateless)


def test_a_flood_of_output_neither_blocks_nor_gets_lost(
    stateless: Stateless, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stateless.get("/flood").text == "fine"
    captured = capsys.readouterr()
    assert len(captured.out) == len(captured.err) == 25 << 20
    assert_next_request_works(stateless)


def test_a_request_body_that_nobody_reads_does_not_block(stateless: Stateless) -> None:
    assert stateless.post("/fine", content=b"x" * (30 << 20)).text == "fine"
    assert_next_request_works(stateless)


def test_a_client_that_stops_reading_ends_the_response(stateless: Stateless) -> None:
    with stateless.client.stream("GET", "/endless") as response:
        assert next(response.iter_raw())[:1] == b"x"
    assert_next_request_works(stateless)


# the zygote


def zygote_pid(platform: Platform) -> int:
    """Find the process below the one that the host has started."""
    first = platform.fleet.zygote().pid
    children = Path(f"/proc/{first}/task/{first}/children").read_text(encoding="ascii").split()
    return int(children[0])


@pytest.mark.parametrize("is_first_process", (True, False))
def test_a_zygote_killed_between_requests_is_started_again(
    platform: Platform, stateless: Stateless, *, is_first_process: bool
) -> None:
    assert_next_request_works(stateless)
    before = platform.fleet.zygote()
    os.kill(before.pid if is_first_process else zygote_pid(platform), signal.SIGKILL)
    deadline = time.monotonic() + DEADLINE_S
    while before.is_alive:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    assert_next_request_works(stateless)
    assert platform.fleet.zygote() is not before


@pytest.mark.parametrize("is_first_process", (True, False))
def test_a_zygote_killed_during_a_request_is_an_error_and_started_again(
    platform: Platform, stateless: Stateless, *, is_first_process: bool
) -> None:
    assert_next_request_works(stateless)
    pid = platform.fleet.zygote().pid if is_first_process else zygote_pid(platform)
    killer = threading.Timer(0.3, os.kill, (pid, signal.SIGKILL))
    killer.start()
    with pytest.raises(InstanceDiedError, match=r"GET /hang .*: the zygote, .* died"):
        stateless.get("/hang")
    killer.join()
    assert_next_request_works(stateless)


def test_a_spare_instance_that_was_killed_is_replaced(
    platform: Platform, stateless: Stateless
) -> None:
    assert_next_request_works(stateless)
    platform.prepare()
    zygote = zygote_pid(platform)
    children = Path(f"/proc/{zygote}/task/{zygote}/children")
    spare = platform.fleet._spare
    assert spare is not None
    deadline = time.monotonic() + DEADLINE_S
    while not spare.handle.has_ended():
        for child in children.read_text(encoding="ascii").split():  # it may not be forked yet
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)
        assert time.monotonic() < deadline
        time.sleep(0.001)
    assert_next_request_works(stateless)


# nothing grows


def counts() -> dict[str, int]:
    """Count what this process holds, and what it has started."""
    me = os.getpid()
    below = [me]
    for pid in below:
        for task in Path(f"/proc/{pid}/task").iterdir():
            below += map(int, (task / "children").read_text(encoding="ascii").split())
    return {
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "processes": len(below),
        "mounts": len(Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()),
        "threads": threading.active_count(),
    }


@pytest.mark.slow
def test_after_200_requests_there_is_no_more_than_after_10(
    platform: Platform, stateless: Stateless
) -> None:
    def serve(number: int) -> dict[str, int]:
        for _ in range(number):
            assert_next_request_works(stateless)
        platform.reset()
        deadline = time.monotonic() + DEADLINE_S
        before = counts()
        while (now := counts()) != before:  # the spare instance may be just coming
            assert time.monotonic() < deadline
            before = now
        return now

    few = serve(10)
    many = serve(190)
    assert many["descriptors"] <= few["descriptors"]
    assert many["processes"] <= few["processes"]
    assert many["mounts"] == few["mounts"]
    assert many["threads"] == few["threads"]
