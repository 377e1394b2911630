from __future__ import annotations

import dataclasses
import json
import os
import pickle
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import pytest_stateless
from pytest_stateless.guest.server import Server
from pytest_stateless.model.first_party import FirstParty
from pytest_stateless.wire.framing import Decoder
from pytest_stateless.wire.measured import Measured
from pytest_stateless.wire.message import Message
from pytest_stateless.wire.messages import (
    Begin,
    Call,
    Done,
    Invoke,
    Learnt,
    Log,
    Raised,
    ResponseBody,
    ResponseStart,
    Returned,
    Serve,
    Start,
    Started,
    StartFailed,
    Warned,
)

ROOT = Path(pytest_stateless.__file__).parents[1]

SHOP = """
import logging, os, sys, warnings

def wsgi(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/raise":
        raise LookupError("no tea")
    if path == "/leave":
        sys.exit(3)
    if path == "/late":
        start_response("200 OK", [])
        yield b"begun"
        raise LookupError("half-way")
    if path == "/log":
        logging.getLogger("shop").debug("looking")
        try:
            raise KeyError("tea")
        except KeyError:
            logging.getLogger("shop").exception("swallowed")
        start_response("500 Oops", [])
        yield b"oops"
        return
    if path == "/warn":
        warnings.warn("old", DeprecationWarning)
    if path == "/import":
        import fractions, shop_late
    start_response("200 OK", [("X-Path", path)])
    yield b"hello "
    yield environ["wsgi.input"].read()

def wrong(environ, start_response):
    start_response(200, [])
    return []

def handler(event, context):
    if event == "leave":
        raise SystemExit("gone")
    return event

async def asgi(scope, receive, send):
    await receive()
    raise RuntimeError("no database")

def setup():
    os.environ["SET_UP"] = "yes"

def broken():
    raise RuntimeError("no licence")

not_callable = 3
"""

Make = Callable[..., tuple[Server, list[Message]]]


def begin(folder: Path, app: str, *, setup: str = "") -> Begin:
    return Begin(
        app=f"srv_shop:{app}" if app else "",
        setup=f"srv_shop:{setup}" if setup else "",
        environ={},
        sys_path=(),
        cwd=str(folder),
        argv=(),
        first_party=FirstParty(roots=(str(folder),)),
        memory_bytes=1 << 30,
    )


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Make a server as it serves in the test process, and the list of what it says."""
    (tmp_path / "srv_shop.py").write_text(SHOP)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "srv_shop", raising=False)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def make(app: str, *, setup: str = "", **options: bool) -> tuple[Server, list[Message]]:
        said: list[Message] = []
        message = begin(tmp_path, app, setup=setup)
        message = dataclasses.replace(message, **options)  # type: ignore[arg-type]
        return Server(message, said.append, is_sealed=False), said

    return make


@pytest.fixture
def started(make: Make) -> Make:
    def start(app: str, **options: object) -> tuple[Server, list[Message]]:
        server, said = make(app, **options)
        assert server.start(Start()), said
        assert isinstance(said.pop(), Started)
        return server, said

    return start


def serve(path: str = "/") -> Serve:
    return Serve(
        number=1,
        request_id="r",
        method="POST",
        scheme="https",
        host="localhost",
        port=443,
        raw_path=path,
        query="",
        headers=(("Content-Length", "3"),),
        timeout_s=30,
    )


def invoke(event: object) -> Invoke:
    return Invoke(
        number=1, request_id="r-7", blob=json.dumps(event).encode(), context="{}", timeout_s=30
    )


def call(function: Callable[..., object], *args: object) -> Call:
    return Call(number=1, blob=pickle.dumps((function, args, {})), timeout_s=30)


def kinds(said: list[Message]) -> list[type[Message]]:
    return [type(message) for message in said]


def raised(said: list[Message]) -> Raised:
    (one,) = [message for message in said if isinstance(message, Raised)]
    return one


# the start


@pytest.mark.parametrize(
    ("app", "kind"), (("wsgi", "wsgi"), ("handler", "lambda"), ("asgi", "asgi"), ("", ""))
)
def test_a_server_says_when_it_is_ready_and_what_it_serves(make: Make, app: str, kind: str) -> None:
    server, said = make(app)
    assert server.start(Start())
    assert said == [Started(kind=kind)]  # type: ignore[arg-type]
    server.close()


def test_the_set_up_runs_after_the_app_s_import(
    started: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SET_UP", "no")
    started("wsgi", setup="setup")
    assert os.environ["SET_UP"] == "yes"


def test_where_the_app_is_defined_is_told_if_that_is_wanted(make: Make, tmp_path: Path) -> None:
    server, said = make("handler")
    assert server.start(Start(wants_place=True))
    (answer,) = said
    assert isinstance(answer, Started)
    assert answer.app_place is not None
    assert answer.app_place.path == str(tmp_path / "srv_shop.py")
    assert answer.app_place.source.startswith("def handler(")


@pytest.mark.parametrize(
    ("app", "options", "step", "error", "is_usage"),
    (
        ("broken()", {}, "import of srv_shop:broken()", "RuntimeError: no licence", False),
        ("wsgi", {"setup": "broken"}, "stateless_setup srv_shop:broken", "RuntimeError", False),
        ("nothing", {}, "import of srv_shop:nothing", "has no attribute 'nothing'", True),
        ("not_callable", {}, "import of srv_shop:not_callable", "is not callable", True),
        ("wsgi", {"setup": "missing"}, "stateless_setup srv_shop:missing", "'missing'", True),
    ),
)
def test_a_start_that_fails_says_at_which_step_and_whose_fault_it_is(  # noqa: PLR0913, PLR0917
    make: Make,
    app: str,
    options: dict[str, str],
    step: str,
    error: str,
    is_usage: bool,  # noqa: FBT001
) -> None:
    server, said = make(app, **options)
    assert not server.start(Start())
    (failed,) = said
    assert isinstance(failed, StartFailed)
    assert (failed.step, failed.is_usage) == (step, is_usage)
    assert error in failed.error
    assert ("srv_shop.py" in failed.traceback) is (not is_usage)
    assert failed.blob == b""


def test_a_start_that_fails_sends_the_exception_where_exceptions_travel(make: Make) -> None:
    server, said = make("broken()", sends_exceptions=True)
    assert not server.start(Start())
    (failed,) = said
    assert isinstance(failed, StartFailed)
    assert failed.blob


# requests


def test_an_answer_is_sent_in_pieces_with_done_at_its_end(started: Make) -> None:
    server, said = started("wsgi")
    server.handle(serve("/a"), (b"te", b"a"))
    assert said[:3] == [
        ResponseStart(status=200, headers=(("X-Path", "/a"),)),
        ResponseBody(blob=b"hello "),
        ResponseBody(blob=b"tea"),
    ]
    (done,) = said[3:]
    assert isinstance(done, Done)
    assert done.handling_s >= 0


def test_handling_is_timed_up_to_the_answer_s_end(started: Make) -> None:
    server, said = started("")
    server.handle(call(time.sleep, 0.05))
    done = said[-1]
    assert isinstance(done, Done)
    assert done.handling_s >= 0.05


@pytest.mark.parametrize(
    ("path", "error"), (("/raise", "LookupError: no tea"), ("/leave", "SystemExit: 3"))
)
def test_what_an_app_raises_is_told_and_answered_with_500(
    started: Make, path: str, error: str
) -> None:
    server, said = started("wsgi")
    server.handle(serve(path))
    assert raised(said).error == error
    assert not raised(said).is_convention
    assert "srv_shop.py" in raised(said).traceback
    assert [one.status for one in said if isinstance(one, ResponseStart)] == [500]
    assert isinstance(said[-1], Done)
    said.clear()
    server.handle(serve("/a"))
    assert [one.status for one in said if isinstance(one, ResponseStart)] == [200]


def test_an_app_that_raises_half_way_has_answered_already(started: Make) -> None:
    server, said = started("wsgi")
    server.handle(serve("/late"))
    assert [one.status for one in said if isinstance(one, ResponseStart)] == [200]
    assert raised(said).error == "LookupError: half-way"
    assert isinstance(said[-1], Done)


def test_an_answer_against_the_convention_is_told_as_such(started: Make) -> None:
    server, said = started("wrong")
    server.handle(serve())
    assert raised(said).is_convention
    assert "status" in raised(said).error


def test_exceptions_travel_where_they_are_wanted(started: Make) -> None:
    for wanted in (False, True):
        server, said = started("wsgi", sends_exceptions=wanted)
        server.handle(serve("/raise"))
        assert bool(raised(said).blob) is wanted


def test_an_event_is_answered_with_json(started: Make) -> None:
    server, said = started("handler")
    server.handle(invoke({"sku": ["tea"]}))
    assert kinds(said) == [Returned, Done]
    assert isinstance(said[0], Returned)
    assert json.loads(said[0].blob) == {"sku": ["tea"]}


def test_a_handler_that_leaves_is_answered_for_as_the_platform_does(started: Make) -> None:
    server, said = started("handler")
    server.handle(invoke("leave"))
    (returned,) = [one for one in said if isinstance(one, Returned)]
    answer = json.loads(returned.blob)
    assert (answer["errorType"], answer["errorMessage"]) == ("SystemExit", "gone")
    assert answer["requestId"] == "r-7"


def test_a_function_is_called_without_an_app(started: Make) -> None:
    server, said = started("")
    server.handle(call(pow, 2, 5))
    assert kinds(said) == [Returned, Done]
    assert isinstance(said[0], Returned)
    assert pickle.loads(said[0].blob) == 32  # noqa: S301 (our own)


@pytest.mark.parametrize("request_", (serve(), invoke("x")), ids=("http", "event"))
def test_a_request_for_an_app_that_is_not_there_is_our_bug_and_says_so(
    started: Make, request_: Serve | Invoke
) -> None:
    server, said = started("")
    server.handle(request_)
    assert "an instance without an app" in raised(said).error
    assert isinstance(said[-1], Done)


def test_a_request_of_another_kind_is_told_as_the_user_s_mistake(started: Make) -> None:
    server, said = started("wsgi")
    server.handle(invoke({}))
    assert raised(said).is_convention
    assert isinstance(said[-1], Done)


def test_unsealed_nothing_is_observed_and_nothing_of_the_process_is_changed(
    started: Make,
) -> None:
    server, said = started("wsgi")
    assert server.observer is None
    server.handle(serve("/import"))
    done = said[-1]
    assert isinstance(done, Done)
    assert (done.modules, done.sources) == ((), ())
    assert done.observations.writes == ()


# sealed, in a process of its own: it listens at everything

PROGRAM = """
import os, sys
sys.path[:0] = [FOLDER]
sys.dont_write_bytecode = True
out = os.dup(1)
from pytest_stateless.guest.server import Server
from pytest_stateless.wire.framing import encode
from pytest_stateless.wire.messages import *
from pytest_stateless.model.coverage_order import CoverageOrder
from pytest_stateless.model.first_party import FirstParty
begin = Begin(
    app=APP, setup="", environ={}, sys_path=(), cwd=FOLDER, argv=(),
    first_party=FirstParty(roots=(FOLDER,)), memory_bytes=1 << 30,
    coverage=CoverageOrder(options={"run:source_dirs": (FOLDER,)}) if MEASURES else None,
)
for turn in range(2):  # only the last one may speak
    server = Server(begin, lambda message: os.write(out, encode(message)))
    server.listen()
    if not turn:
        server.leave()
if server.start(Start(log_levels={"shop": 10}, is_learning=not MEASURES)):
    for path in PATHS:
        server.handle(Serve(
            number=1, request_id="r", method="GET", scheme="https", host="localhost", port=443,
            raw_path=path, query="", headers=(), timeout_s=30, log_levels={"shop": 10},
        ))
"""


@pytest.fixture
def sealed(tmp_path: Path) -> Callable[..., list[Message]]:
    """Start a server that observes, and return what it says to requests for some paths."""
    (tmp_path / "srv_shop.py").write_text(SHOP)
    (tmp_path / "shop_late.py").write_text("import colorsys\n")

    def run(*paths: str, app: str = "srv_shop:wsgi", measures: bool = False) -> list[Message]:
        given = (str(tmp_path), app, paths, measures)
        head = f"FOLDER, APP, PATHS, MEASURES = {given!r}\n"
        done = subprocess.run(
            [sys.executable, "-c", head + textwrap.dedent(PROGRAM)],
            check=False,
            cwd=ROOT,
            capture_output=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr.decode()
        decoder = Decoder()
        decoder.feed(done.stdout)
        return list(decoder.messages())

    return run


def test_a_learning_server_tells_what_it_imported_before_it_is_ready(
    sealed: Callable[..., list[Message]], tmp_path: Path
) -> None:
    learnt, started = sealed()
    assert isinstance(learnt, Learnt)
    assert learnt.sources == (str(tmp_path / "srv_shop.py"),)
    assert "srv_shop" not in learnt.modules
    assert isinstance(started, Started)


def test_a_learning_server_that_fails_tells_only_that(
    sealed: Callable[..., list[Message]],
) -> None:
    assert kinds(sealed(app="srv_shop:broken()")) == [StartFailed]


def test_log_records_arrive_before_the_answer_at_the_level_that_the_test_has_set(
    sealed: Callable[..., list[Message]],
) -> None:
    said = sealed("/log")[2:]
    records = [one.record for one in said if isinstance(one, Log)]
    assert [record.message for record in records] == ["looking", "swallowed"]
    assert "KeyError: 'tea'" in records[1].exception


def test_an_exception_that_was_logged_with_a_500_counts_as_raised(
    sealed: Callable[..., list[Message]],
) -> None:
    assert raised(sealed("/log")).error == "KeyError: 'tea'"


def test_a_warning_is_told_with_its_class_and_place(
    sealed: Callable[..., list[Message]], tmp_path: Path
) -> None:
    (warned,) = [one for one in sealed("/warn") if isinstance(one, Warned)]
    assert (warned.text, warned.category[0]) == ("old", "builtins.DeprecationWarning")
    assert warned.path == str(tmp_path / "srv_shop.py")


def test_modules_that_a_request_imports_are_told_once_and_the_user_s_own_are_not(
    sealed: Callable[..., list[Message]],
) -> None:
    dones = [one for one in sealed("/", "/import", "/import") if isinstance(one, Done)]
    assert [bool(one.modules) for one in dones] == [False, True, False]
    assert {"fractions", "colorsys"} <= set(dones[1].modules)
    assert "shop_late" not in dones[1].modules


def test_which_lines_ran_is_told_just_before_the_end_of_each_request(
    sealed: Callable[..., list[Message]], tmp_path: Path
) -> None:
    started, *said = sealed("/", "/import", measures=True)
    assert isinstance(started, Started)
    assert kinds(said) == [ResponseStart, ResponseBody, Measured, Done] * 2
    first, second = (json.loads(one.blob) for one in said if isinstance(one, Measured))
    # what the start ran is told with the first request
    assert 2 in first[str(tmp_path / "srv_shop.py")]
    assert second[str(tmp_path / "shop_late.py")] == [1]


def test_which_lines_ran_is_told_of_a_start_that_fails(
    sealed: Callable[..., list[Message]], tmp_path: Path
) -> None:
    measured, failed = sealed(app="srv_shop:broken()", measures=True)
    assert isinstance(failed, StartFailed)
    assert isinstance(measured, Measured)
    assert list(json.loads(measured.blob)) == [str(tmp_path / "srv_shop.py")]
