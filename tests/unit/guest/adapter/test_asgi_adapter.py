from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from recording_sink import STACK, RecordingSink, loaded, make_invoke, make_request

from pytest_stateless.errors import AdapterError, ColdStartError
from pytest_stateless.guest.adapter import asgi
from pytest_stateless.guest.adapter.asgi import AsgiAdapter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from pytest_stateless.wire.messages import Serve

    Call = Callable[..., Awaitable[Any]]


@pytest.fixture
def started() -> Iterator[Callable[[object], AsgiAdapter]]:
    with contextlib.ExitStack() as open_adapters:

        def start(app: object) -> AsgiAdapter:
            adapter = AsgiAdapter(loaded(app, "asgi"), STACK)
            open_adapters.callback(adapter.close)
            adapter.start()
            return adapter

        yield start


@pytest.fixture
def serve(started: Callable[[object], AsgiAdapter]) -> Callable[..., RecordingSink]:
    def serve_one(
        app: object, request: Serve | None = None, chunks: tuple[bytes, ...] = ()
    ) -> RecordingSink:
        sink = RecordingSink()
        started(app).serve(request or make_request(), chunks, sink)
        return sink

    return serve_one


async def answer(send: Call, body: bytes = b"ok", status: int = 200) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"x-a", b"1")]})
    await send({"type": "http.response.body", "body": body})


def http_only(function: Call) -> Call:
    async def app(scope: dict[str, Any], receive: Call, send: Call) -> None:
        assert scope["type"] == "http"
        await function(scope, receive, send)

    return app


def test_the_scope_is_what_the_convention_says(serve: Callable[..., RecordingSink]) -> None:
    seen: dict[str, Any] = {}

    @http_only
    async def app(scope: dict[str, Any], _receive: Call, send: Call) -> None:
        seen.update(scope)
        await answer(send)

    headers = (("Host", "testserver"), ("X-Tag", "caf\xe9"), ("X-Tag", "b"))
    sink = serve(app, make_request("/a%20b/t%C3%A9", "PUT", query="x=%20", headers=headers))

    assert (sink.status, sink.headers, sink.content) == (200, [("x-a", "1")], b"ok")
    assert sink.calls == ["start", "body", "complete"]
    assert (seen["path"], seen["raw_path"]) == ("/a b/té", b"/a%20b/t%C3%A9")
    assert seen["query_string"] == b"x=%20"
    assert (seen["method"], seen["scheme"], seen["http_version"]) == ("PUT", "http", "1.1")
    assert seen["headers"] == [(b"host", b"testserver"), (b"x-tag", b"caf\xe9"), (b"x-tag", b"b")]
    assert seen["server"] == ("testserver", 80)
    assert seen["client"][0] == "127.0.0.1"
    assert seen["asgi"]["version"] == "3.0"


@pytest.mark.parametrize("chunks", ((), (b"one",), (b"one", b"two", b"three")))
def test_the_body_arrives_in_the_clients_pieces(
    chunks: tuple[bytes, ...], serve: Callable[..., RecordingSink]
) -> None:
    seen: list[tuple[bytes, bool]] = []

    @http_only
    async def app(_scope: object, receive: Call, send: Call) -> None:
        more = True
        while more:
            message = await receive()
            assert message["type"] == "http.request"
            more = message["more_body"]
            seen.append((message["body"], more))
        await answer(send)

    serve(app, make_request(method="POST"), chunks)

    expected = chunks or (b"",)
    assert seen == [
        (piece, number < len(expected)) for number, piece in enumerate(expected, start=1)
    ]


def test_after_the_response_the_client_is_gone(serve: Callable[..., RecordingSink]) -> None:
    seen: list[str] = []

    @http_only
    async def app(_scope: object, receive: Call, send: Call) -> None:
        await receive()
        await answer(send)
        seen.append((await receive())["type"])

    sink = serve(app)

    assert seen == ["http.disconnect"]
    assert sink.survivors == []


def test_a_client_that_goes_away_is_noticed_while_the_app_waits(
    started: Callable[[object], AsgiAdapter],
) -> None:
    seen: list[str] = []
    ours, theirs = socket.socketpair()

    @http_only
    async def app(_scope: object, receive: Call, send: Call) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        sink.is_gone = True
        theirs.close()
        seen.append((await receive())["type"])
        await send({"type": "http.response.body", "body": b"late"})

    with ours:
        sink = RecordingSink(channel_fd=ours.fileno())
        started(app).serve(make_request(), (), sink)

    assert seen == ["http.disconnect"]
    assert sink.pieces == [b"first"]
    assert sink.calls == ["start", "body", "complete"]


def test_a_readable_channel_is_no_disconnect_by_itself(
    started: Callable[[object], AsgiAdapter],
) -> None:
    ours, theirs = socket.socketpair()

    @http_only
    async def app(_scope: object, receive: Call, _send: Call) -> None:
        await receive()
        theirs.send(b"something else")
        asyncio.get_running_loop().call_later(0.02, setattr, sink, "is_gone", True)
        seen.append((await receive())["type"])

    seen: list[str] = []
    with ours, theirs:
        sink = RecordingSink(channel_fd=ours.fileno())
        started(app).serve(make_request(), (), sink)

    assert seen == ["http.disconnect"]
    assert sink.errors == []


def test_a_client_that_goes_away_is_noticed_by_an_app_that_only_sends(
    started: Callable[[object], AsgiAdapter],
) -> None:
    @http_only
    async def app(_scope: object, receive: Call, send: Call) -> None:
        await receive()
        gone = asyncio.ensure_future(receive())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not gone.done():
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
            await asyncio.sleep(0)

    sink = RecordingSink(disconnects_after=3)
    started(app).serve(make_request(), (), sink)

    assert sink.pieces == [b"x"] * 3
    assert (sink.errors, sink.survivors) == ([], [])


def test_a_head_request_has_no_body(serve: Callable[..., RecordingSink]) -> None:
    @http_only
    async def app(_scope: object, _receive: Call, send: Call) -> None:
        await answer(send)

    sink = serve(app, make_request(method="HEAD"))

    assert (sink.status, sink.content) == (200, b"")


async def _body_first(_scope: object, _receive: Call, send: Call) -> None:
    await send({"type": "http.response.body", "body": b"x"})


async def _two_starts(_scope: object, _receive: Call, send: Call) -> None:
    for _ in range(2):
        await send({"type": "http.response.start", "status": 200})


async def _unknown_type(_scope: object, _receive: Call, send: Call) -> None:
    await send({"type": "http.response.end"})


async def _no_dictionary(_scope: object, _receive: Call, send: Call) -> None:
    await send(("http.response.start", 200))


async def _status_is_text(_scope: object, _receive: Call, send: Call) -> None:
    await send({"type": "http.response.start", "status": "200"})


async def _headers_are_text(_scope: object, _receive: Call, send: Call) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [("a", "b")]})


async def _body_is_text(_scope: object, _receive: Call, send: Call) -> None:
    await answer(send, "text")  # type: ignore[arg-type]  # the mistake under test


async def _silence(_scope: object, _receive: Call, _send: Call) -> None:
    """Return without a response."""


async def _only_a_start(_scope: object, _receive: Call, send: Call) -> None:
    await send({"type": "http.response.start", "status": 200})


async def _swallowed(_scope: object, _receive: Call, send: Call) -> None:
    with contextlib.suppress(Exception):
        await send({"type": "http.response.start", "status": "200"})


@pytest.mark.parametrize(
    ("app", "says"),
    (
        (_body_first, "'http.response.body' was sent before 'http.response.start'"),
        (_two_starts, "'http.response.start' was sent twice"),
        (_unknown_type, "message type 'http.response.end' is not understood"),
        (_no_dictionary, "a message is no dictionary"),
        (_status_is_text, "status '200' is no number but str"),
        (_headers_are_text, "header ('a', 'b') is no (bytes, bytes) pair"),
        (_body_is_text, "no bytes but str: 'text'"),
        (_silence, "returned without a response"),
        (_only_a_start, "returned without a response"),
        (_swallowed, "status '200' is no number but str"),
    ),
)
def test_a_breach_of_the_convention_is_named_and_answered_500(
    app: Call, says: str, serve: Callable[..., RecordingSink]
) -> None:
    sink = serve(http_only(app))

    (error,) = sink.errors
    assert isinstance(error, AdapterError)
    assert says in str(error)
    assert (sink.status, sink.content) == (500, b"Internal Server Error")
    assert sink.calls.count("complete") == 1


def test_a_response_that_is_never_finished_is_a_breach(
    serve: Callable[..., RecordingSink],
) -> None:
    @http_only
    async def app(_scope: object, _receive: Call, send: Call) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})

    sink = serve(app)

    assert (sink.status, sink.content) == (200, b"half")
    assert "more_body=True" in str(sink.errors[0])


def test_a_message_after_the_response_is_a_breach(serve: Callable[..., RecordingSink]) -> None:
    @http_only
    async def app(_scope: object, _receive: Call, send: Call) -> None:
        await answer(send)
        await send({"type": "http.response.body", "body": b"more"})

    sink = serve(app)

    assert sink.content == b"ok"
    assert [type(error) for error in sink.errors] == [AdapterError]


def test_an_exception_is_a_500_if_nothing_was_sent(serve: Callable[..., RecordingSink]) -> None:
    @http_only
    async def app(_scope: object, _receive: Call, send: Call) -> None:
        await send({"type": "http.response.start", "status": 200})
        raise LookupError("no sku")

    sink = serve(app)

    assert [repr(error) for error in sink.errors] == ["LookupError('no sku')"]
    assert (sink.status, sink.content) == (500, b"Internal Server Error")


def test_an_exception_after_the_response_is_only_reported(
    serve: Callable[..., RecordingSink],
) -> None:
    @http_only
    async def app(_scope: object, _receive: Call, send: Call) -> None:
        await answer(send)
        raise LookupError("late")

    sink = serve(app)

    assert (sink.status, sink.content) == (200, b"ok")
    assert sink.calls == ["start", "body", "complete", "raised"]


def test_what_the_lifespan_leaves_reaches_every_request(
    started: Callable[[object], AsgiAdapter],
) -> None:
    seen: list[object] = []

    async def app(scope: dict[str, Any], receive: Call, send: Call) -> None:
        if scope["type"] == "lifespan":
            assert (await receive())["type"] == "lifespan.startup"
            scope["state"]["database"] = "open"
            await send({"type": "lifespan.startup.complete"})
            await receive()
        else:
            seen.append(dict(scope["state"]))
            scope["state"]["mine"] = 1
            await answer(send)

    adapter = started(app)
    for _ in range(2):
        adapter.serve(make_request(), (), RecordingSink())

    assert seen == [{"database": "open"}] * 2


def test_a_start_up_that_fails_is_told_with_its_message(
    started: Callable[[object], AsgiAdapter],
) -> None:
    async def app(_scope: object, _receive: Call, send: Call) -> None:
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    with pytest.raises(ColdStartError, match=r"'shop:app' failed: no database"):
        started(app)


def test_a_start_up_that_fails_and_raises_is_told_with_its_exception(
    started: Callable[[object], AsgiAdapter],
) -> None:
    async def app(_scope: object, _receive: Call, send: Call) -> None:
        await send({"type": "lifespan.startup.failed", "message": "Traceback ..."})
        raise LookupError("no table")

    with pytest.raises(ColdStartError, match=r"LookupError: no table") as caught:
        started(app)

    assert isinstance(caught.value.__cause__, LookupError)


@pytest.mark.parametrize("app", (http_only(_silence), _silence))
def test_an_app_without_a_lifespan_starts_all_the_same(
    app: object, started: Callable[[object], AsgiAdapter]
) -> None:
    assert started(app).kind == "asgi"


def test_a_task_that_outlives_its_response_is_found_where_it_was_started(
    started: Callable[[object], AsgiAdapter],
) -> None:
    steps: list[int] = []

    async def send_mail() -> None:
        for step in range(100):
            steps.append(step)
            await asyncio.sleep(0)

    kept: list[asyncio.Task[None]] = []

    @http_only
    async def app(_scope: object, _receive: Call, send: Call) -> None:
        if not kept:
            kept.append(asyncio.create_task(send_mail(), name="mail"))
        await answer(send)

    adapter = started(app)
    first, second = RecordingSink(), RecordingSink()
    adapter.serve(make_request(), (), first)
    done_then = len(steps)

    (survivor,) = first.survivors
    assert (survivor.kind, survivor.name, survivor.phase) == ("task", "mail", "request")
    assert survivor.target.endswith("<locals>.send_mail")
    assert survivor.runs_first_party
    own = [frame.source for frame in survivor.stack if frame.is_first_party]
    assert own[0] == 'kept.append(asyncio.create_task(send_mail(), name="mail"))'
    assert "serve" not in {frame.function for frame in survivor.stack}

    adapter.serve(make_request(), (), second)

    assert second.survivors == []
    assert done_then < len(steps) < 100


def test_tasks_that_ended_or_were_told_to_are_no_findings(
    serve: Callable[..., RecordingSink],
) -> None:
    async def quick() -> None:
        """End at once."""

    @http_only
    async def app(_scope: object, _receive: Call, send: Call) -> None:
        await asyncio.create_task(quick())
        cancelled = asyncio.create_task(asyncio.sleep(3600))
        await asyncio.sleep(0)
        await answer(send)
        cancelled.cancel()

    assert serve(app).survivors == []


def test_a_task_that_was_told_to_end_may_take_a_turn_for_it(
    serve: Callable[..., RecordingSink],
) -> None:
    async def listen() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            for _ in range(3):
                await asyncio.sleep(0)

    @http_only
    async def app(_scope: object, _receive: Call, send: Call) -> None:
        listening = asyncio.create_task(listen())
        await asyncio.sleep(0)
        await answer(send)
        listening.cancel()

    assert serve(app).survivors == []


def test_the_tasks_of_a_group_are_no_findings_while_the_app_unwinds(
    serve: Callable[..., RecordingSink],
) -> None:
    @http_only
    async def app(_scope: object, _receive: Call, send: Call) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0.01))
            await answer(send)

    assert serve(app).survivors == []


def test_a_task_of_the_users_that_the_lifespan_started_is_a_scheduler(
    started: Callable[[object], AsgiAdapter],
) -> None:
    async def poll() -> None:
        while True:
            pending = asyncio.create_task(asyncio.sleep(3600))
            await asyncio.wait({pending}, timeout=0)

    kept: list[asyncio.Task[None]] = []

    async def app(scope: dict[str, Any], receive: Call, send: Call) -> None:
        if scope["type"] == "lifespan":
            kept.append(asyncio.create_task(poll()))
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await receive()
        await asyncio.sleep(0)
        await answer(send)

    adapter = started(app)
    for _ in range(2):
        sink = RecordingSink()
        adapter.serve(make_request(), (), sink)

        (survivor,) = sink.survivors
        assert (survivor.kind, survivor.phase) == ("scheduler", "start")
        assert survivor.target.endswith("poll")
        own = [frame.source for frame in survivor.stack if frame.is_first_party]
        assert own == ["kept.append(asyncio.create_task(poll()))"]

    kept[0].cancel()
    sink = RecordingSink()
    adapter.serve(make_request(), (), sink)
    assert sink.survivors == []


def test_tasks_of_libraries_and_finished_ones_that_the_lifespan_started_are_no_findings(
    started: Callable[[object], AsgiAdapter],
) -> None:
    async def warm_up() -> None:
        """End at once."""

    kept: list[object] = []

    async def app(scope: dict[str, Any], receive: Call, send: Call) -> None:
        if scope["type"] == "lifespan":
            kept.append(asyncio.create_task(asyncio.sleep(3600)))
            await asyncio.create_task(warm_up())
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await receive()
        await answer(send)

    sink = RecordingSink()
    started(app).serve(make_request(), (), sink)

    assert sink.survivors == []


def test_the_apps_own_task_factory_is_kept(started: Callable[[object], AsgiAdapter]) -> None:
    made: list[str] = []

    def factory(loop: Any, coro: Any, **options: Any) -> asyncio.Task[Any]:  # noqa: ANN401 (asyncio's)
        made.append(coro.__qualname__)
        return asyncio.Task(coro, loop=loop, **options)

    kept: list[object] = []

    async def work() -> None:
        await asyncio.sleep(3600)

    async def app(scope: dict[str, Any], _receive: Call, send: Call) -> None:
        if scope["type"] == "lifespan":
            asyncio.get_running_loop().set_task_factory(factory)
            await send({"type": "lifespan.startup.complete"})
            return
        kept.append(asyncio.create_task(work()))
        await answer(send)

    sink = RecordingSink()
    started(app).serve(make_request(), (), sink)

    assert any(name.endswith("work") for name in made)
    assert [survivor.kind for survivor in sink.survivors] == ["task"]


def test_an_app_that_goes_on_after_its_response_is_found_where_it_waits(
    started: Callable[[object], AsgiAdapter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asgi, "UNWIND_S", 0.05)

    async def index() -> None:
        await asyncio.sleep(3600)

    @http_only
    async def app(_scope: object, _receive: Call, send: Call) -> None:
        await answer(send)
        await index()

    sink = RecordingSink()
    started(app).serve(make_request(), (), sink)

    (survivor,) = sink.survivors
    assert (survivor.kind, survivor.name) == ("app", "index")
    assert survivor.runs_first_party
    own = [frame.source for frame in survivor.stack if frame.is_first_party]
    assert own[0] == "await asyncio.sleep(3600)"
    assert sink.calls[-2:] == ["complete", "survived"]


def test_an_app_that_blocks_after_its_response_is_found_where_it_ended_it(
    serve: Callable[..., RecordingSink], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asgi, "UNWIND_S", 0.05)

    @http_only
    async def app(_scope: object, _receive: Call, send: Call) -> None:
        await answer(send)
        time.sleep(0.1)  # noqa: ASYNC251 (the mistake under test)

    sink = serve(app)

    (survivor,) = sink.survivors
    assert survivor.kind == "app"
    own = [frame.source for frame in survivor.stack if frame.is_first_party]
    assert own[0] == 'await send({"type": "http.response.body", "body": body})'


def test_what_fails_in_the_time_of_a_later_request_is_logged(
    started: Callable[[object], AsgiAdapter],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(asgi, "UNWIND_S", 0.01)
    gate: list[asyncio.Event] = []

    @http_only
    async def app(scope: dict[str, Any], _receive: Call, send: Call) -> None:
        await answer(send)
        if scope["path"] == "/first":
            gate.append(asyncio.Event())
            await gate[0].wait()
            raise LookupError("late")
        gate[0].set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    adapter = started(app)
    adapter.serve(make_request("/first"), (), RecordingSink())
    second = RecordingSink()
    adapter.serve(make_request("/second"), (), second)

    assert second.errors == []
    assert "the app failed after its response" in caplog.text


def test_it_works_beside_a_loop_that_runs_in_another_thread() -> None:
    @http_only
    async def app(_scope: object, _receive: Call, send: Call) -> None:
        await asyncio.sleep(0)
        await answer(send)

    sink = RecordingSink()

    def run() -> None:
        adapter = AsgiAdapter(loaded(app, "asgi"), STACK)
        adapter.start()
        adapter.serve(make_request(), (), sink)
        adapter.close()

    async def outer() -> None:
        thread = threading.Thread(target=run)
        thread.start()
        await asyncio.to_thread(thread.join)

    asyncio.run(outer())

    assert sink.content == b"ok"


def test_an_asgi_app_takes_no_events(started: Callable[[object], AsgiAdapter]) -> None:
    with pytest.raises(AdapterError, match="takes no events"):
        started(http_only(_silence)).invoke(make_invoke(b"{}"), RecordingSink())
