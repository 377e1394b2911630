from __future__ import annotations

import asyncio
import json
import os
import sys
import textwrap
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from pytest_stateless.errors import ColdStartError, ConfigurationError
from pytest_stateless.model.first_party import FirstParty
from pytest_stateless.session.unenforced import LocalServers
from pytest_stateless.wire.messages import (
    Begin,
    Done,
    Invoke,
    Raised,
    ResponseBody,
    ResponseStart,
    Returned,
    Serve,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_stateless.wire.message import Message

SHOP = """
    import asyncio, os, threading

    MADE = threading.get_ident()
    count = 0

    def wsgi(environ, start_response):
        global count
        count += 1
        body = environ["wsgi.input"].read()
        start_response("200 OK", [("X-Count", str(count))])
        return [b"%d:" % os.getpid(), body]

    async def asgi(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            return
        await asyncio.sleep(0)
        message = await receive()
        await send({"type": "http.response.start", "status": 201, "headers": []})
        await send({"type": "http.response.body", "body": message["body"]})

    def handler(event, context):
        if event == "fail":
            raise LookupError(event)
        if event == "leave":
            raise SystemExit(3)
        return [event, threading.get_ident() == MADE]

    def setup():
        global count
        count = 100

    def broken():
        raise RuntimeError("no database")
"""


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalServers]:
    (tmp_path / "local_shop.py").write_text(textwrap.dedent(SHOP))
    monkeypatch.syspath_prepend(tmp_path)
    servers = LocalServers()
    yield servers
    servers.close()
    sys.modules.pop("local_shop", None)


def become(app: str, *, setup: str = "", raises: bool = False) -> Begin:
    return Begin(
        app=f"local_shop:{app}",
        setup=setup,
        environ={},
        sys_path=(),
        cwd="/nowhere",
        argv=(),
        first_party=FirstParty(roots=()),
        memory_bytes=1 << 30,
        sends_exceptions=raises,
    )


def serve(method: str = "POST") -> Serve:
    return Serve(
        number=1,
        request_id="r",
        method=method,
        scheme="https",
        host="localhost",
        port=443,
        raw_path="/",
        query="",
        headers=(("Content-Length", "3"),),
        timeout_s=30,
    )


def invoke(event: str) -> Invoke:
    return Invoke(
        number=1, request_id="r", blob=json.dumps(event).encode(), context="{}", timeout_s=30
    )


def inside_a_loop(function: Callable[[], list[Message]]) -> list[Message]:
    async def main() -> list[Message]:
        return function()

    return asyncio.run(main())


def body_of(messages: list[Message]) -> bytes:
    return b"".join(one.blob for one in messages if isinstance(one, ResponseBody))


each_place = pytest.mark.parametrize("call", (lambda function: function(), inside_a_loop))
Call = Callable[[Callable[[], "list[Message]"]], "list[Message]"]


@each_place
def test_a_wsgi_app_is_served_in_this_process(servers: LocalServers, call: Call) -> None:
    messages = call(lambda: list(servers.serve(become("wsgi"), serve(), (b"te", b"a"))))
    assert body_of(messages) == f"{os.getpid()}:tea".encode()
    assert isinstance(messages[-1], Done)


@each_place
def test_an_asgi_app_is_served_on_a_loop_of_its_own(servers: LocalServers, call: Call) -> None:
    for _ in range(2):
        messages = call(lambda: list(servers.serve(become("asgi"), serve(), (b"tea",))))
        statuses = [one.status for one in messages if isinstance(one, ResponseStart)]
        assert (statuses, body_of(messages)) == ([201], b"tea")


@each_place
def test_an_event_is_handled_in_this_process(servers: LocalServers, call: Call) -> None:
    messages = call(lambda: list(servers.serve(become("handler"), invoke("order"))))
    (returned,) = [one for one in messages if isinstance(one, Returned)]
    assert json.loads(returned.blob)[0] == "order"


def test_without_a_loop_the_app_runs_in_the_thread_of_the_test_where_breakpoints_work(
    servers: LocalServers,
) -> None:
    threads = threading.active_count()
    messages = servers.serve(become("handler"), invoke("order"))
    returned = next(one for one in messages if isinstance(one, Returned))
    assert json.loads(returned.blob) == ["order", True]
    assert threading.active_count() == threads


def test_a_loop_that_serves_leaves_no_thread_behind(servers: LocalServers) -> None:
    threads = threading.active_count()
    inside_a_loop(lambda: list(servers.serve(become("wsgi"), serve())))
    assert threading.active_count() == threads


def test_the_app_is_imported_once_and_stays(servers: LocalServers) -> None:
    counts = []
    for _ in range(3):
        start = servers.serve(become("wsgi"), serve())[0]
        assert isinstance(start, ResponseStart)
        counts.append(dict(start.headers)["X-Count"])
    assert counts == ["1", "2", "3"]


def test_a_set_up_function_runs_before_the_first_request(servers: LocalServers) -> None:
    start = servers.serve(become("wsgi", setup="local_shop:setup"), serve())[0]
    assert isinstance(start, ResponseStart)
    assert dict(start.headers)["X-Count"] == "101"


def test_the_process_s_own_environment_and_folder_are_left_alone(servers: LocalServers) -> None:
    before = (dict(os.environ), os.getcwd(), list(sys.path), list(sys.argv))  # noqa: PTH109 (text)
    servers.serve(become("wsgi"), serve())
    assert (dict(os.environ), os.getcwd(), list(sys.path), list(sys.argv)) == before  # noqa: PTH109


@each_place
@pytest.mark.parametrize("event", ("fail", "leave"))
def test_what_a_handler_raises_is_told_and_the_next_event_is_handled(
    servers: LocalServers, call: Call, event: str
) -> None:
    begin = become("handler", raises=True)
    messages = call(lambda: list(servers.serve(begin, invoke(event))))
    (raised,) = [one for one in messages if isinstance(one, Raised)]
    assert raised.error.startswith({"fail": "LookupError", "leave": "SystemExit"}[event])
    assert isinstance(messages[-1], Done)
    messages = call(lambda: list(servers.serve(begin, invoke("order"))))
    assert not [one for one in messages if isinstance(one, Raised)]


@each_place
def test_an_app_that_cannot_be_made_is_a_cold_start_error_each_time(
    servers: LocalServers, call: Call
) -> None:
    for _ in range(2):
        with pytest.raises(ColdStartError, match="no database") as caught:
            call(lambda: list(servers.serve(become("broken()"), serve())))
        assert "local_shop:broken()" in str(caught.value)


@each_place
def test_a_reference_to_nothing_is_an_error_of_configuration(
    servers: LocalServers, call: Call
) -> None:
    with pytest.raises(ConfigurationError, match="no attribute 'wsgy'; did you mean wsgi"):
        call(lambda: list(servers.serve(become("wsgy"), serve())))


def test_closing_lets_go_of_the_loops(servers: LocalServers) -> None:
    servers.serve(become("asgi"), serve(), (b"tea",))
    servers.close()
    servers.close()
    assert body_of(list(servers.serve(become("asgi"), serve(), (b"again",)))) == b"again"
