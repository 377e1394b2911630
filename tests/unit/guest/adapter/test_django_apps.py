from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import django  # type: ignore[import-untyped]
import pytest
from django.conf import settings  # type: ignore[import-untyped]
from django.core.asgi import get_asgi_application  # type: ignore[import-untyped]
from django.core.signals import request_finished  # type: ignore[import-untyped]
from django.core.wsgi import get_wsgi_application  # type: ignore[import-untyped]
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse  # type: ignore[import-untyped]
from django.urls import path  # type: ignore[import-untyped]
from recording_sink import STACK, RecordingSink, loaded, make_request

from pytest_stateless.guest.adapter.asgi import AsgiAdapter
from pytest_stateless.guest.adapter.wsgi import WsgiAdapter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from pytest_stateless.wire.messages import Serve


def sync_view(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{request.method} {request.GET['q']} {request.POST.get('sku')}")


async def async_view(_request: HttpRequest) -> HttpResponse:
    await asyncio.sleep(0)
    return HttpResponse("async")


async def leaving_view(_request: HttpRequest) -> HttpResponse:
    kept.append(asyncio.create_task(asyncio.sleep(3600), name="left"))
    return HttpResponse("ok")


async def stream_view(_request: HttpRequest) -> StreamingHttpResponse:
    async def rows() -> AsyncIterator[bytes]:
        for row in range(3):
            yield b"%d" % row

    return StreamingHttpResponse(rows())


kept: list[object] = []
urlpatterns = [
    path("sync", sync_view),
    path("async", async_view),
    path("leaving", leaving_view),
    path("stream", stream_view),
]
FORM = (
    ("Host", "testserver"),
    ("Content-Type", "application/x-www-form-urlencoded"),
    ("Content-Length", "7"),
)


@pytest.fixture(scope="module", autouse=True)
def _configured() -> None:
    if not settings.configured:
        settings.configure(
            ROOT_URLCONF=sys.modules[__name__],
            ALLOWED_HOSTS=["testserver"],
            SECRET_KEY="only for tests",  # noqa: S106 (no secret)
            MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
        )
        django.setup(set_prefix=False)


@pytest.fixture
def asgi_app() -> Iterator[Callable[..., RecordingSink]]:
    adapter = AsgiAdapter(loaded(get_asgi_application(), "asgi"), STACK)
    adapter.start()

    def serve(request: Serve, chunks: tuple[bytes, ...] = ()) -> RecordingSink:
        sink = RecordingSink()
        adapter.serve(request, chunks, sink)
        return sink

    yield serve
    adapter.close()


def test_django_answers_over_wsgi() -> None:
    sink = RecordingSink()
    adapter = WsgiAdapter(loaded(get_wsgi_application(), "wsgi"), STACK)

    adapter.serve(make_request("/sync", "POST", query="q=1", headers=FORM), (b"sku=tea",), sink)

    assert (sink.status, sink.content) == (200, b"POST 1 tea")
    assert (sink.errors, sink.survivors) == ([], [])


def test_a_receiver_of_request_finished_is_work_after_the_response() -> None:
    def count(**_kwargs: object) -> None:
        """Be called when the response is closed."""

    request_finished.connect(count)
    try:
        sink = RecordingSink()
        adapter = WsgiAdapter(loaded(get_wsgi_application(), "wsgi"), STACK)
        adapter.serve(make_request("/sync", query="q=1"), (), sink)
    finally:
        request_finished.disconnect(count)

    (survivor,) = sink.survivors
    assert survivor.kind == "close"
    assert survivor.name.endswith("<locals>.count")
    assert survivor.stack[0].source == "def count(**_kwargs: object) -> None:"


def test_sync_async_and_streaming_views_answer_over_asgi(
    asgi_app: Callable[..., RecordingSink],
) -> None:
    sinks = [
        asgi_app(make_request("/sync", "POST", query="q=1", headers=FORM), (b"sku", b"=tea")),
        asgi_app(make_request("/async")),
        asgi_app(make_request("/stream")),
    ]

    assert [sink.content for sink in sinks] == [b"POST 1 tea", b"async", b"012"]
    assert [sink.errors for sink in sinks] == [[], [], []]
    assert [sink.survivors for sink in sinks] == [[], [], []]


def test_a_task_that_a_django_view_leaves_is_found(
    asgi_app: Callable[..., RecordingSink],
) -> None:
    (survivor,) = asgi_app(make_request("/leaving")).survivors

    assert (survivor.kind, survivor.name) == ("task", "left")
    assert survivor.target == "asyncio.tasks.sleep"
    assert survivor.runs_first_party
