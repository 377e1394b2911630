from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, Request
from recording_sink import STACK, RecordingSink, loaded, make_request
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.background import BackgroundTasks as StarletteTasks
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from pytest_stateless.errors import ColdStartError
from pytest_stateless.guest.adapter import asgi, background
from pytest_stateless.guest.adapter.asgi import AsgiAdapter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

Start = Any  # a fixture's callable, spelt once

notes: list[str] = []


def note(text: str) -> None:
    notes.append(text)


async def note_later(text: str) -> None:
    notes.append(text)


def sync_session() -> Iterator[str]:
    yield "sync"
    note("sync closed")


async def async_session() -> AsyncIterator[str]:
    yield "async"
    note("async closed")


@pytest.fixture(autouse=True)
def _clean_notes() -> Iterator[None]:
    notes.clear()
    yield
    notes.clear()


@pytest.fixture
def start() -> Iterator[Callable[[object], AsgiAdapter]]:
    with contextlib.ExitStack() as open_adapters:

        def start_one(app: object) -> AsgiAdapter:
            adapter = AsgiAdapter(loaded(app, "asgi"), STACK)
            open_adapters.callback(adapter.close)
            adapter.start()
            return adapter

        yield start_one


def get(adapter: AsgiAdapter, path: str = "/") -> RecordingSink:
    sink = RecordingSink()
    adapter.serve(make_request(path), (), sink)
    return sink


def middleware_app(*, endpoint: Callable[..., object]) -> Starlette:
    class Timing(BaseHTTPMiddleware):
        async def dispatch(
            self, request: Request, call_next: Callable[[Request], Awaitable[Response]]
        ) -> Response:
            response = await call_next(request)
            response.headers["x-seen"] = "yes"
            return response

    return Starlette(
        routes=[Route("/", endpoint), Route("/next", next_page)],
        middleware=[Middleware(Timing), Middleware(Timing)],
    )


async def next_page(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("next")


def test_sync_and_async_endpoints_of_fastapi_answer_and_leave_nothing(start: Start) -> None:
    app = FastAPI()

    @app.get("/sync/{name}")
    def sync(name: str, q: int = 0) -> dict[str, Any]:
        return {"name": name, "q": q}

    @app.get("/async")
    async def plain() -> str:
        return "async"

    adapter = start(app)
    for path, content in [("/sync/tea", b'{"name":"tea","q":0}'), ("/async", b'"async"')] * 2:
        sink = get(adapter, path)
        assert (sink.status, sink.content) == (200, content)
        assert (sink.errors, sink.survivors) == ([], [])


def test_dependencies_that_unwind_after_the_response_are_no_findings(start: Start) -> None:
    app = FastAPI()

    @app.get("/")
    def index(
        one: Annotated[str, Depends(sync_session)], two: Annotated[str, Depends(async_session)]
    ) -> list[str]:
        return [one, two]

    sink = get(start(app))

    assert sink.content == b'["sync","async"]'
    assert sorted(notes) == ["async closed", "sync closed"]
    assert (sink.errors, sink.survivors) == ([], [])


def test_middleware_that_unwinds_is_no_finding(start: Start) -> None:
    async def stream(_request: Request) -> StreamingResponse:
        async def rows() -> AsyncIterator[bytes]:
            for row in range(3):
                yield b"%d" % row

        return StreamingResponse(rows())

    sink = get(start(middleware_app(endpoint=stream)))

    assert (sink.status, sink.content) == (200, b"012")
    assert ("x-seen", "yes") in sink.headers
    assert (sink.errors, sink.survivors) == ([], [])


@pytest.mark.parametrize("function", (note, note_later))
def test_a_background_task_waits_for_the_next_request(
    function: Callable[[str], object], start: Start
) -> None:
    async def index(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("ok", background=BackgroundTask(function, "mail"))

    adapter = start(Starlette(routes=[Route("/", index), Route("/next", slow_page)]))
    sink = get(adapter)

    (survivor,) = sink.survivors
    assert survivor.kind == "background"
    assert survivor.name == function.__name__
    assert survivor.target == f"{__name__}.{function.__name__}"
    assert survivor.runs_first_party
    own = [frame.source for frame in survivor.stack if frame.is_first_party]
    assert own == ['return PlainTextResponse("ok", background=BackgroundTask(function, "mail"))']
    assert sink.calls == ["start", "body", "complete", "survived"]
    assert notes == []

    later = get(adapter, "/next")

    assert notes == ["mail"]
    assert (later.errors, later.survivors) == ([], [])


async def slow_page(_request: Request) -> PlainTextResponse:
    import anyio

    with anyio.fail_after(10):
        while not notes:  # noqa: ASYNC110 (a thread fills it)
            await anyio.sleep(0.001)
    return PlainTextResponse("next")


def test_background_tasks_of_fastapi_are_each_reported_where_they_were_added(
    start: Start,
) -> None:
    app = FastAPI()

    @app.get("/")
    def index(tasks: BackgroundTasks) -> str:
        tasks.add_task(note, "one")
        tasks.add_task(note_later, text="two")
        return "ok"

    sink = get(start(app))

    assert [survivor.name for survivor in sink.survivors] == ["note", "note_later"]
    lines = [
        next(frame.source for frame in survivor.stack if frame.is_first_party)
        for survivor in sink.survivors
    ]
    assert lines == ['tasks.add_task(note, "one")', 'tasks.add_task(note_later, text="two")']
    assert notes == []


def test_a_request_that_adds_no_background_task_leaves_nothing(start: Start) -> None:
    app = FastAPI()

    @app.get("/")
    async def index(tasks: BackgroundTasks) -> str:
        return f"{len(tasks.tasks)} tasks"

    sink = get(start(app))

    assert (sink.content, sink.survivors) == (b'"0 tasks"', [])


def test_a_background_task_below_middleware_waits_too(start: Start) -> None:
    async def index(_request: Request) -> PlainTextResponse:
        tasks = StarletteTasks([BackgroundTask(note, "one"), BackgroundTask(note, "two")])
        return PlainTextResponse("ok", background=tasks)

    adapter = start(middleware_app(endpoint=index))
    sink = get(adapter)

    assert [(survivor.kind, survivor.name) for survivor in sink.survivors] == [
        ("background", "note"),
        ("background", "note"),
    ]
    assert sink.calls[:3] == ["start", "body", "complete"]
    assert notes == []


def test_a_task_group_that_waits_for_a_parked_task_is_no_finding_of_its_own(start: Start) -> None:
    class Grouping:
        def __init__(self, app: Any) -> None:  # noqa: ANN401 (any ASGI app)
            self.app = app

        async def __call__(self, *arguments: object) -> None:
            import anyio

            async def inner() -> None:
                await self.app(*arguments)

            async with anyio.create_task_group() as group:
                group.start_soon(inner)

    async def index(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("ok", background=BackgroundTask(note, "mail"))

    sink = get(start(Grouping(Starlette(routes=[Route("/", index)]))))

    assert [survivor.kind for survivor in sink.survivors] == ["background"]


def test_a_background_task_that_is_awaited_before_the_answer_runs_at_once(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    monkeypatch.setattr(background, "_SEND_LAST_S", 3600)

    async def index(_request: Request) -> PlainTextResponse:
        async with asyncio.timeout(10):
            await BackgroundTask(note, "now")()
        return PlainTextResponse(",".join(notes))

    sink = get(start(Starlette(routes=[Route("/", index)])))

    assert (sink.content, sink.survivors) == (b"now", [])


def test_a_background_task_runs_at_once_outside_our_exchanges(start: Start) -> None:
    import asyncio

    start(Starlette())  # patches the classes

    asyncio.run(BackgroundTask(note_later, "elsewhere")())

    assert notes == ["elsewhere"]


def test_a_coroutine_that_a_worker_thread_schedules_is_the_requests(start: Start) -> None:
    import asyncio

    async def work() -> None:
        await asyncio.sleep(3600)

    loops: list[asyncio.AbstractEventLoop] = []

    async def remember() -> None:
        loops.append(asyncio.get_running_loop())

    app = FastAPI()

    @app.get("/", dependencies=[Depends(remember)])
    def index() -> str:
        asyncio.run_coroutine_threadsafe(work(), loops[0])
        return "ok"

    (survivor,) = get(start(app)).survivors

    assert survivor.kind == "task"
    assert survivor.target.endswith("<locals>.work")
    assert survivor.stack[0].source == "async def work() -> None:"


def test_a_stream_whose_client_goes_away_ends_and_its_background_task_waits(start: Start) -> None:
    async def index(_request: Request) -> StreamingResponse:
        async def rows() -> AsyncIterator[bytes]:
            import anyio.lowlevel

            while True:
                yield b"row"
                await anyio.lowlevel.checkpoint()

        return StreamingResponse(rows(), background=BackgroundTask(note, "mail"))

    sink = RecordingSink(disconnects_after=3)
    start(Starlette(routes=[Route("/", index)])).serve(make_request(), (), sink)

    assert sink.pieces == [b"row"] * 3
    assert [survivor.kind for survivor in sink.survivors] == ["background"]
    assert (notes, sink.errors) == ([], [])


def test_starlettes_500_is_kept_and_its_exception_reported(start: Start) -> None:
    async def index(_request: Request) -> PlainTextResponse:
        raise LookupError("no sku")

    sink = get(start(Starlette(routes=[Route("/", index)])))

    assert (sink.status, sink.content) == (500, b"Internal Server Error")
    assert [repr(error) for error in sink.errors] == ["LookupError('no sku')"]
    assert sink.calls.count("start") == 1


def test_starlettes_lifespan_runs_once_and_its_failure_is_told(start: Start) -> None:
    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, str]]:
        note("started")
        yield {"database": "open"}

    async def index(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.state.database)

    adapter = start(Starlette(routes=[Route("/", index)], lifespan=lifespan))
    assert [get(adapter).content, get(adapter).content] == [b"open", b"open"]
    assert notes == ["started"]

    @contextlib.asynccontextmanager
    async def failing(_app: Starlette) -> AsyncIterator[None]:
        if notes:
            raise LookupError("no database")
        yield

    with pytest.raises(ColdStartError, match="LookupError: no database"):
        start(Starlette(lifespan=failing))


def test_a_dependency_that_takes_long_after_the_response_is_found(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    monkeypatch.setattr(asgi, "UNWIND_S", 0.05)

    async def session() -> AsyncIterator[None]:
        yield
        await asyncio.sleep(3600)

    app = FastAPI()

    @app.get("/", dependencies=[Depends(session)])
    async def index() -> str:
        return "ok"

    sink = get(start(app))

    (survivor,) = sink.survivors
    assert survivor.kind == "app"
    own = [frame.source for frame in survivor.stack if frame.is_first_party]
    assert own == ["await asyncio.sleep(3600)"]
