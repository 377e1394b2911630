"""The client: an `httpx2.Client` that behaves towards an instance as towards a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from e2e.conftest import Project

FLASK = """
    import hashlib
    from flask import Flask, redirect, request, session, url_for

    app = Flask(__name__)
    app.secret_key = "constant"

    @app.post("/login")
    def login():
        session["user"] = request.form["user"]
        return redirect(url_for("me"))

    @app.get("/me")
    def me():
        return session.get("user", "nobody")

    @app.post("/upload")
    def upload():
        file = request.files["file"]
        data = file.read()
        return {
            "name": file.filename, "type": file.mimetype, "size": len(data),
            "digest": hashlib.sha256(data).hexdigest(), "title": request.form["title"],
        }

    @app.route("/echo", methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
    def echo():
        return {
            "method": request.method, "url": request.url, "args": request.args.to_dict(False),
            "body": request.get_data(as_text=True), "agent": request.headers.get("x-agent"),
            "length": request.content_length,
        }

    @app.get("/big")
    def big():
        return bytes(range(256)) * 16384

    @app.post("/size")
    def size():
        return {"size": len(request.get_data())}
"""


def test_a_client_is_a_user_with_cookies_redirects_and_files(project: Project) -> None:
    project.write({
        "shop.py": FLASK,
        "test_it.py": """
            import hashlib, io

            def test_cookies_last_for_the_test(stateless):
                response = stateless.post("/login", data={"user": "ann"})
                assert (response.status_code, response.headers["location"]) == (302, "/me")
                assert stateless.get("/me").text == "ann"
                assert stateless.get("/me").text == "ann"
                assert "session" in stateless.client.cookies

            def test_and_no_longer(stateless):
                assert stateless.get("/me").text == "nobody"

            def test_a_redirect_is_followed_where_the_user_says_so(stateless):
                response = stateless.post("/login", data={"user": "bob"}, follow_redirects=True)
                assert (response.url.path, response.text) == ("/me", "bob")
                assert [one.title for one in stateless.exchanges] == ["POST /login", "GET /me"]
                assert [one.status for one in stateless.exchanges] == [302, 200]

            def test_another_client_is_another_user(stateless):
                ann, bob = stateless.client, stateless.new_client(headers={"x-agent": "bob's"})
                ann.post("/login", data={"user": "ann"})
                assert (ann.get("/me").text, bob.get("/me").text) == ("ann", "nobody")
                bob.post("/login", data={"user": "bob"})
                assert (ann.get("/me").text, bob.get("/me").text) == ("ann", "bob")
                assert bob.get("/echo").json()["agent"] == "bob's"
                bob.close()

            def test_a_multipart_upload(stateless):
                data = bytes(range(256)) * 4096
                answer = stateless.post(
                    "/upload",
                    data={"title": "a title"},
                    files={"file": ("pic.png", io.BytesIO(data), "image/png")},
                ).json()
                assert answer == {
                    "name": "pic.png", "type": "image/png", "size": 1 << 20,
                    "digest": hashlib.sha256(data).hexdigest(), "title": "a title",
                }

            def test_every_verb(stateless):
                for verb in ("get", "post", "put", "patch", "delete", "options"):
                    response = getattr(stateless, verb)("/echo", params={"q": ["1", "ü"]})
                    seen = response.json()
                    assert seen["method"] == verb.upper()
                    assert seen["args"] == {"q": ["1", "ü"]}
                assert stateless.request("PATCH", "/echo", json=[1]).json()["body"] == "[1]"

            def test_a_head_has_headers_and_no_body(stateless):
                response = stateless.head("/big")
                assert response.status_code == 200
                assert response.headers["content-length"] == str(1 << 22)
                assert response.content == b""

            def test_large_bodies_both_ways(stateless):
                assert stateless.get("/big").content == bytes(range(256)) * 16384
                assert stateless.post("/size", content=b"x" * (5 << 20)).json()["size"] == 5 << 20

            def test_where_the_app_believes_to_be(stateless):
                assert stateless.get("/echo").json()["url"] == "https://localhost/echo"
                absolute = stateless.get("http://localhost:8000/echo").json()["url"]
                assert absolute == "http://localhost:8000/echo"
                with stateless.new_client(base_url="https://shop.example") as client:
                    assert client.get("/echo").json()["url"] == "https://shop.example/echo"

            def test_the_client_is_httpx2_s(stateless):
                import httpx2
                assert isinstance(stateless.client, httpx2.Client)
                assert stateless.client is stateless.client
                assert isinstance(stateless.async_client(), httpx2.AsyncClient)
        """,
    })
    project.ini("stateless_app = shop:app")
    project.run().assert_outcomes(passed=10)


def test_bodies_are_streamed(project: Project) -> None:
    project.write({
        "raw.py": """
            import os, time

            GATE = "service/gate"

            def wait():
                while not os.path.exists(GATE):
                    time.sleep(0.002)

            def wsgi(environ, start_response):
                start_response("200 OK", [("Content-Type", "text/plain")])
                yield b"first"
                wait()
                yield b"second"

            async def asgi(scope, receive, send):
                assert scope["type"] == "http"
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": b"first", "more_body": True})
                wait()
                await send({"type": "http.response.body", "body": b"second"})

            async def pieces(scope, receive, send):
                assert scope["type"] == "http"
                seen, more = [], True
                while more:
                    message = await receive()
                    seen.append(str(len(message["body"])))
                    more = message.get("more_body", False)
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": " ".join(seen).encode()})
        """,
        "test_it.py": """
            from pathlib import Path
            import pytest

            @pytest.fixture
            def gate():
                folder = Path("service")
                folder.mkdir(exist_ok=True)
                yield folder / "gate"
                (folder / "gate").unlink(missing_ok=True)

            @pytest.mark.parametrize("kind", [
                pytest.param(name, marks=pytest.mark.stateless(app=f"raw:{name}"))
                for name in ("wsgi", "asgi")
            ])
            def test_a_response_arrives_before_the_app_has_finished(stateless, kind, gate):
                stateless.service_path(gate.parent)
                with stateless.client.stream("GET", "/") as response:
                    assert not response.extensions["stateless"].is_complete
                    chunks = response.iter_bytes()
                    assert next(chunks) == b"first"
                    gate.touch()  # without this, the app waits for ever
                    assert list(chunks) == [b"second"]
                assert stateless.last.is_complete

            @pytest.mark.stateless(app="raw:pieces")
            def test_a_request_s_body_is_a_generator(stateless):
                def body():
                    yield b"a"
                    yield b"bc"
                    yield b""
                    yield b"d" * 100_000
                assert stateless.post("/", content=body()).text == "1 2 100000"
                assert stateless.post("/").text == "0"
        """,
    })
    project.ini("stateless_app = raw:wsgi")
    project.run().assert_outcomes(passed=3)


def test_an_app_learns_that_its_client_is_gone(project: Project) -> None:
    project.write({
        "raw.py": """
            import itertools

            def note(what):
                with open("service/log", "a") as file:
                    file.write(what + "\\n")

            class Body:
                def __iter__(self):
                    for number in itertools.count():
                        self.number = number
                        yield b"x" * 1000

                def close(self):
                    note("close")

            def wsgi(environ, start_response):
                start_response("200 OK", [])
                return Body()

            async def asgi(scope, receive, send):
                import asyncio
                assert scope["type"] == "http"
                assert (await receive())["type"] == "http.request"
                gone = asyncio.ensure_future(receive())
                await send({"type": "http.response.start", "status": 200, "headers": []})
                while not gone.done():
                    await send(
                        {"type": "http.response.body", "body": b"x" * 1000, "more_body": True}
                    )
                    await asyncio.sleep(0)
                note((await gone)["type"])

            def framework():
                from starlette.applications import Starlette
                from starlette.responses import StreamingResponse
                from starlette.routing import Route

                async def endless():
                    import asyncio
                    try:
                        while True:
                            yield b"x" * 1000
                            await asyncio.sleep(0.001)
                    finally:
                        note("cancelled")

                async def page(request):
                    return StreamingResponse(endless())

                return Starlette(routes=[Route("/", page)])
        """,
        "test_it.py": """
            from pathlib import Path
            import pytest

            @pytest.fixture
            def log(stateless):
                folder = Path("service")
                folder.mkdir(exist_ok=True)
                (folder / "log").write_text("")
                stateless.service_path(folder)
                return folder / "log"

            def leave_early(stateless):
                with stateless.client.stream("GET", "/") as response:
                    assert next(response.iter_bytes(1000)) == b"x" * 1000

            @pytest.mark.stateless(app="raw:wsgi", allow="SL301  # close() writes what is tested")
            def test_wsgi(stateless, log):
                leave_early(stateless)
                assert log.read_text() == "close\\n"

            @pytest.mark.stateless(app="raw:asgi")
            def test_asgi(stateless, log):
                leave_early(stateless)
                assert log.read_text() == "http.disconnect\\n"

            @pytest.mark.stateless(app="raw:framework()")
            def test_a_streaming_response_of_starlette(stateless, log):
                leave_early(stateless)
                assert log.read_text() == "cancelled\\n"

            @pytest.mark.stateless(app="raw:asgi")
            def test_the_next_request_is_served(stateless, log):
                leave_early(stateless)
                leave_early(stateless)
                assert [one.status for one in stateless.exchanges] == [200, 200]
                assert [one.instance for one in stateless.exchanges] == [1, 2]
        """,
    })
    project.ini()
    project.run().assert_outcomes(passed=4)


def test_a_client_s_own_timeout_is_its_own_exception(project: Project) -> None:
    project.write({
        "slow.py": """
            import time

            def app(environ, start_response):
                if environ["PATH_INFO"] == "/never":
                    time.sleep(60)
                start_response("200 OK", [])
                yield b"begun"
                if environ["PATH_INFO"] == "/stuck":
                    time.sleep(1)
                    yield b"ended"
        """,
        "test_it.py": """
            import httpx2
            import pytest

            def test_no_answer(stateless):
                with pytest.raises(httpx2.ReadTimeout) as caught:
                    stateless.get("/never", timeout=0.2)
                assert caught.value.request.url.path == "/never"
                assert stateless.get("/").text == "begun"
                assert stateless.findings == ()

            def test_no_more_of_the_body(stateless):
                with stateless.client.stream("GET", "/stuck", timeout=0.2) as response:
                    chunks = response.iter_bytes()
                    assert next(chunks) == b"begun"
                    with pytest.raises(httpx2.ReadTimeout):
                        next(chunks)
                assert stateless.get("/").text == "begun"

            def test_a_client_without_a_word_waits_as_long_as_the_platform(stateless):
                assert stateless.client.timeout == httpx2.Timeout(None)
        """,
    })
    project.ini("stateless_app = slow:app")
    project.run().assert_outcomes(passed=3)
