"""Requests at once: the async client and threads, each request on an instance of its own."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from e2e.conftest import Project

BACKENDS = ("asyncio", "trio") if importlib.util.find_spec("trio") else ("asyncio",)

# Each request waits for the other: served one after the other, neither would ever be answered.
MEETING = """
    import os, time
    from pathlib import Path
    from flask import Flask

    app = Flask(__name__)

    @app.post("/<me>/<other>")
    def meet(me, other):
        mine, theirs = Path("service", me), Path("service", other)
        mine.write_text(str(os.getpid()))
        while not theirs.exists() or not theirs.read_text():
            time.sleep(0.002)
        return {"mine": mine.read_text(), "theirs": theirs.read_text()}

    @app.get("/stream")
    def stream():
        return (b"x" * 1000 for _ in range(100))
"""


def test_the_async_client_serves_requests_at_once(project: Project) -> None:
    project.write({
        "shop.py": MEETING,
        "conftest.py": f"""
            import shutil
            from pathlib import Path
            import pytest

            @pytest.fixture(params={BACKENDS!r})
            def anyio_backend(request):
                return request.param

            @pytest.fixture
            def service(stateless):
                folder = Path("service")
                folder.mkdir()
                stateless.service_path(folder)
                yield
                shutil.rmtree(folder)
        """,
        "test_it.py": """
            import contextlib
            import anyio
            import httpx2
            import pytest

            pytestmark = pytest.mark.anyio

            async def test_two_requests_are_served_by_two_instances_at_once(stateless, service):
                answers = {}
                async with stateless.async_client() as client, anyio.create_task_group() as group:
                    async def post(me, other):
                        answers[me] = (await client.post(f"/{me}/{other}")).json()
                    group.start_soon(post, "ann", "bob")
                    group.start_soon(post, "bob", "ann")
                assert answers["ann"]["mine"] == answers["bob"]["theirs"]
                assert answers["ann"]["theirs"] == answers["bob"]["mine"]
                assert answers["ann"]["mine"] != answers["bob"]["mine"]
                assert sorted(one.instance for one in stateless.exchanges) == [1, 2]

            async def test_the_loop_goes_on_while_a_request_is_served(stateless, service):
                from pathlib import Path
                async with stateless.async_client() as client, anyio.create_task_group() as group:
                    async def open_the_gate():
                        while not Path("service/ann").exists():
                            await anyio.sleep(0.002)
                        Path("service/gate").write_text("open")
                    group.start_soon(open_the_gate)
                    assert (await client.post("/ann/gate")).json()["theirs"] == "open"

            async def test_a_streamed_response(stateless):
                async with stateless.async_client() as client:
                    async with client.stream("GET", "/stream") as response:
                        data = b"".join([chunk async for chunk in response.aiter_bytes()])
                    assert data == b"x" * 100_000
                    async with (
                        client.stream("GET", "/stream") as response,
                        contextlib.aclosing(response.aiter_bytes()) as chunks,
                    ):
                        assert await anext(chunks)
                    assert (await client.get("/stream")).status_code == 200

            async def test_a_streamed_request(stateless, service):
                async def body():
                    yield b"a"
                    yield b"b"
                async with stateless.async_client() as client:
                    assert (await client.post("/me/me", content=body())).status_code == 200

            async def test_a_request_that_is_cancelled_leaves_room_for_the_next(stateless, service):
                async with stateless.async_client() as client:
                    with anyio.move_on_after(0.3) as scope:
                        await client.post("/ann/nobody")
                    assert scope.cancelled_caught
                    assert (await client.get("/stream")).status_code == 200

            async def test_a_timeout_of_the_client(stateless, service):
                async with stateless.async_client() as client:
                    with pytest.raises(httpx2.ReadTimeout):
                        await client.post("/ann/nobody", timeout=0.2)
                    assert (await client.get("/stream")).status_code == 200

            async def test_the_sync_client_works_in_a_coroutine_too(stateless):
                assert stateless.get("/stream").status_code == 200
        """,
    })
    project.ini("stateless_app = shop:app")
    project.run("-p", "anyio").assert_outcomes(passed=7 * len(BACKENDS))


def test_threads_of_the_test_are_served_at_once(project: Project) -> None:
    project.write({
        "shop.py": MEETING,
        "test_it.py": """
            from concurrent.futures import ThreadPoolExecutor
            from pathlib import Path

            def test_two_threads(stateless):
                Path("service").mkdir()
                stateless.service_path("service")
                with ThreadPoolExecutor(2) as pool:
                    answers = list(pool.map(stateless.post, ("/ann/bob", "/bob/ann")))
                one, two = (answer.json() for answer in answers)
                assert (one["mine"], one["theirs"]) == (two["theirs"], two["mine"])
                assert len(stateless.exchanges) == 2

            def test_many_threads(stateless):
                with ThreadPoolExecutor(8) as pool:
                    answers = list(pool.map(stateless.get, ["/stream"] * 24))
                assert [len(answer.content) for answer in answers] == [100_000] * 24
                assert sorted(one.number for one in stateless.exchanges) == list(range(1, 25))
                assert sorted(one.instance for one in stateless.exchanges) == list(range(1, 25))
        """,
    })
    project.ini("stateless_app = shop:app")
    project.run().assert_outcomes(passed=2)
