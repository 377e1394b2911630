from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask, Response, request, stream_with_context
from recording_sink import STACK, RecordingSink, loaded, make_invoke, make_request
from werkzeug.wsgi import ClosingIterator

from pytest_stateless.errors import AdapterError
from pytest_stateless.guest.adapter.wsgi import WsgiAdapter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pytest_stateless.wire.messages import Serve


def serve(
    app: object,
    request: Serve | None = None,
    chunks: tuple[bytes, ...] = (),
    sink: RecordingSink | None = None,
) -> RecordingSink:
    sink = sink or RecordingSink()
    adapter = WsgiAdapter(loaded(app, "wsgi"), STACK)
    adapter.start()
    adapter.serve(request or make_request(), chunks, sink)
    return sink


def ok(start_response: Callable[..., Any]) -> Callable[[bytes], object]:
    write: Callable[[bytes], object] = start_response("200 OK", [("Content-Type", "text/plain")])
    return write


def test_a_flask_app_gets_form_query_cookies_and_answers() -> None:
    app = Flask("shop")

    @app.post("/cart/<name>")
    def add(name: str) -> Response:
        seen = [name, request.args["q"], request.form["sku"], request.cookies["b"]]
        answer = Response("|".join(seen), 201)
        answer.set_cookie("one", "1")
        answer.set_cookie("two", "2")
        return answer

    sink = serve(
        app,
        make_request(
            "/cart/t%C3%A9",
            "POST",
            query="q=a%20b",
            headers=(
                ("Host", "testserver"),
                ("Content-Type", "application/x-www-form-urlencoded"),
                ("Content-Length", "7"),
                ("Cookie", "a=1"),
                ("Cookie", "b=2"),
            ),
        ),
        (b"sku", b"=tea"),
    )

    assert sink.status == 201
    assert sink.content.decode() == "té|a b|tea|2"
    assert [name for name, _ in sink.headers].count("Set-Cookie") == 2
    assert sink.errors == []
    assert sink.survivors == []
    assert sink.calls[-1] == "complete"


def test_the_environ_is_what_the_convention_says() -> None:
    seen: dict[str, Any] = {}

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        seen.update(environ, read=environ["wsgi.input"].read())
        ok(start_response)
        return []

    headers = (
        ("Host", "testserver"),
        ("Content-Type", "text/plain"),
        ("Content-Length", "3"),
        ("X-Tag", "a"),
        ("x-tag", "b"),
        ("x_tag", "forged"),
    )
    serve(app, make_request("/a%20b/%ff", query="x=1", headers=headers), (b"ab", b"c"))

    assert seen["PATH_INFO"] == "/a b/\xff"
    assert seen["RAW_URI"] == seen["REQUEST_URI"] == "/a%20b/%ff?x=1"
    assert (seen["QUERY_STRING"], seen["SCRIPT_NAME"]) == ("x=1", "")
    assert (seen["SERVER_NAME"], seen["SERVER_PORT"]) == ("testserver", "80")
    assert seen["REMOTE_ADDR"] == "127.0.0.1"
    assert (seen["CONTENT_TYPE"], seen["CONTENT_LENGTH"]) == ("text/plain", "3")
    assert "HTTP_CONTENT_TYPE" not in seen
    assert seen["HTTP_X_TAG"] == "a,b"
    assert seen["read"] == b"abc"
    assert seen["wsgi.url_scheme"] == "http"
    assert seen["wsgi.input_terminated"] is True
    flags = [seen[f"wsgi.{name}"] for name in ("multithread", "multiprocess", "run_once")]
    assert flags == [False, True, False]
    assert "wsgi.file_wrapper" not in seen


def test_write_sends_before_the_iterable() -> None:
    def app(_environ: object, start_response: Callable[..., Any]) -> list[bytes]:
        write = ok(start_response)
        write(b"first ")
        return [b"second"]

    assert serve(app).content == b"first second"


def test_a_head_request_has_no_body() -> None:
    def app(_environ: object, start_response: Callable[..., Any]) -> list[bytes]:
        ok(start_response)
        return [b"body"]

    sink = serve(app, make_request(method="HEAD"))

    assert (sink.status, sink.content) == (200, b"")


def test_an_empty_response_has_its_head() -> None:
    def app(_environ: object, start_response: Callable[..., Any]) -> list[bytes]:
        start_response("204 No Content", [])
        return []

    sink = serve(app)

    assert (sink.status, sink.calls) == (204, ["start", "complete"])


def test_an_app_that_is_a_generator_may_start_late() -> None:
    def app(_environ: object, start_response: Callable[..., Any]) -> Iterator[bytes]:
        ok(start_response)
        yield b"a"
        yield b"b"

    assert serve(app).pieces == [b"a", b"b"]


def test_start_response_may_be_called_again_with_exc_info_before_the_body() -> None:
    def app(_environ: object, start_response: Callable[..., Any]) -> list[bytes]:
        ok(start_response)
        try:
            raise ValueError("late")  # noqa: TRY301 (an exc_info is wanted)
        except ValueError:
            start_response("503 Service Unavailable", [], sys.exc_info())
        return [b"sorry"]

    sink = serve(app)

    assert (sink.status, sink.content, sink.errors) == (503, b"sorry", [])


def test_exc_info_after_the_body_is_raised_again() -> None:
    def app(_environ: object, start_response: Callable[..., Any]) -> Iterator[bytes]:
        ok(start_response)
        yield b"half"
        try:
            raise ValueError("late")  # noqa: TRY301 (an exc_info is wanted)
        except ValueError:
            start_response("500 Oops", [], sys.exc_info())

    sink = serve(app)

    assert (sink.status, sink.content) == (200, b"half")
    assert [str(error) for error in sink.errors] == ["late"]


def _status_is_a_number(_environ: object, start_response: Callable[..., Any]) -> list[bytes]:
    start_response(200, [])
    return []


def _status_has_no_reason(_environ: object, start_response: Callable[..., Any]) -> list[bytes]:
    start_response("200", [])
    return []


def _headers_are_a_dict(_environ: object, start_response: Callable[..., Any]) -> list[bytes]:
    start_response("200 OK", {"a": "b"})
    return []


def _header_value_is_a_number(_environ: object, start_response: Callable[..., Any]) -> list[bytes]:
    start_response("200 OK", [("Content-Length", 3)])
    return []


def _header_is_split(_environ: object, start_response: Callable[..., Any]) -> list[bytes]:
    start_response("200 OK", [("Location", "/a\r\nSet-Cookie: x=1")])
    return []


def _body_is_text(_environ: object, start_response: Callable[..., Any]) -> list[str]:
    ok(start_response)
    return ["text"]


def _body_is_one_string(_environ: object, start_response: Callable[..., Any]) -> bytes:
    ok(start_response)
    return b"text"


def _body_is_none(_environ: object, start_response: Callable[..., Any]) -> None:
    ok(start_response)


def _never_started(_environ: object, _start_response: object) -> list[bytes]:
    return []


def _body_before_start(_environ: object, _start_response: object) -> list[bytes]:
    return [b"early"]


def _started_twice(_environ: object, start_response: Callable[..., Any]) -> list[bytes]:
    ok(start_response)
    ok(start_response)
    return []


def _objection_swallowed(_environ: object, start_response: Callable[..., Any]) -> list[bytes]:
    try:
        start_response(200, [])
    except Exception:  # noqa: BLE001 (as careless apps do)
        ok(start_response)
    return []


@pytest.mark.parametrize(
    ("app", "says"),
    (
        (_status_is_a_number, "status 200 is no text but int"),
        (_status_has_no_reason, "status '200' must read like '200 OK'"),
        (_headers_are_a_dict, "headers are no list but dict"),
        (_header_value_is_a_number, "('Content-Length', 3) is no (text, text) tuple"),
        (_header_is_split, "characters that HTTP cannot carry"),
        (_body_is_text, "no bytes but str: 'text'"),
        (_body_is_one_string, "return a list of bytes"),
        (_body_is_none, "returned NoneType"),
        (_never_started, "without having called start_response"),
        (_body_before_start, "before it called start_response"),
        (_started_twice, "called twice"),
        (_objection_swallowed, "status 200 is no text but int"),
    ),
)
def test_a_breach_of_the_convention_is_named_and_answered_500(app: object, says: str) -> None:
    sink = serve(app)

    (error,) = sink.errors
    assert isinstance(error, AdapterError)
    assert says in str(error)
    assert (sink.status, sink.content) == (500, b"Internal Server Error")
    assert sink.calls[-1] == "complete"


def test_an_exception_before_the_answer_is_a_500() -> None:
    def app(_environ: object, _start_response: object) -> list[bytes]:
        raise LookupError("no sku")

    sink = serve(app)

    assert [repr(error) for error in sink.errors] == ["LookupError('no sku')"]
    assert (sink.status, sink.content) == (500, b"Internal Server Error")


def test_an_exception_in_the_middle_leaves_a_short_body() -> None:
    def app(_environ: object, start_response: Callable[..., Any]) -> Iterator[bytes]:
        ok(start_response)
        yield b"half"
        raise LookupError("gone")

    sink = serve(app)

    assert (sink.status, sink.content) == (200, b"half")
    assert sink.calls == ["start", "body", "raised", "complete"]


class _Stream:
    """A first-party iterable that tidies up."""

    def __init__(self, pieces: Iterable[bytes], notes: list[str]) -> None:
        self._pieces = iter(pieces)
        self._notes = notes

    def __iter__(self) -> _Stream:
        return self

    def __next__(self) -> bytes:
        return next(self._pieces)

    def close(self) -> None:
        self._notes.append("closed")


def test_the_iterable_is_closed_after_completion_and_tidying_up_is_no_finding() -> None:
    notes: list[str] = []
    sink = RecordingSink()

    def app(_environ: object, start_response: Callable[..., Any]) -> _Stream:
        ok(start_response)
        return _Stream([b"a"], notes)

    serve(app, sink=sink)

    assert notes == ["closed"]
    assert sink.survivors == []


def test_a_client_that_goes_away_stops_the_iteration_and_closes() -> None:
    notes: list[str] = []

    def app(_environ: object, start_response: Callable[..., Any]) -> _Stream:
        ok(start_response)
        return _Stream(iter(lambda: b"more", b""), notes)  # without end

    sink = serve(app, sink=RecordingSink(disconnects_after=3))

    assert sink.pieces == [b"more"] * 3
    assert notes == ["closed"]
    assert sink.calls[-1] == "complete"


def test_an_error_in_close_is_reported() -> None:
    class Broken(list[bytes]):
        def close(self) -> None:
            raise OSError("cannot close")

    def app(_environ: object, start_response: Callable[..., Any]) -> Broken:
        ok(start_response)
        return Broken([b"a"])

    sink = serve(app)

    assert sink.calls == ["start", "body", "complete", "raised"]


def test_a_function_that_flask_calls_on_close_is_work_after_the_response() -> None:
    app = Flask("shop")

    def lookup() -> None:
        """Be called by the finding, and be none of its own."""

    def send_mail() -> None:
        lookup()

    @app.get("/")
    def index() -> Response:
        answer = Response("ok")
        answer.call_on_close(send_mail)
        return answer

    sink = serve(app)

    (survivor,) = sink.survivors
    name = "test_a_function_that_flask_calls_on_close_is_work_after_the_response.<locals>.send_mail"
    assert survivor.kind == "close"
    assert survivor.name == name
    assert survivor.target == f"{__name__}.{name}"
    assert survivor.stack[0].source == "def send_mail() -> None:"
    assert survivor.runs_first_party
    assert [frame.is_first_party for frame in survivor.stack].count(True) == 1
    assert sink.calls == ["start", "body", "complete", "survived"]


def test_a_generator_that_unwinds_in_close_is_no_finding() -> None:
    app = Flask("shop")
    notes: list[str] = []

    def release() -> None:
        notes.append("released")

    @app.teardown_request
    def tear_down(_error: BaseException | None) -> None:
        notes.append("torn down")

    @app.get("/")
    def index() -> Response:
        def rows() -> Iterator[str]:
            try:
                yield "a"
                yield "b"
            finally:
                release()

        return Response(stream_with_context(rows()))

    sink = serve(app, sink=RecordingSink(disconnects_after=1))

    assert "released" in notes
    assert "torn down" in notes
    assert sink.survivors == []


def test_a_finalizer_that_happens_to_run_in_close_is_no_finding() -> None:
    notes: list[str] = []

    class Handle:
        def __del__(self) -> None:
            notes.append("finalized")

    class Closing(list[Handle]):
        def close(self) -> None:
            self.clear()

    def app(_environ: object, start_response: Callable[..., Any]) -> Iterator[bytes]:
        ok(start_response)
        return ClosingIterator([b"a"], Closing([Handle()]).close)

    sink = serve(app)

    assert notes == ["finalized"]
    assert sink.survivors == []


def test_the_profiler_that_was_there_before_is_put_back() -> None:
    def profiler(_frame: object, _event: str, _argument: object) -> None:
        """Be recognised."""

    class Closing(list[bytes]):
        def close(self) -> None:
            """Tidy up."""

    def app(_environ: object, start_response: Callable[..., Any]) -> Closing:
        ok(start_response)
        return Closing()

    previous = sys.getprofile()
    sys.setprofile(profiler)
    try:
        serve(app)
        found = sys.getprofile()
    finally:
        sys.setprofile(previous)

    assert found is profiler


def test_a_wsgi_app_takes_no_events() -> None:
    adapter = WsgiAdapter(loaded(_never_started, "wsgi"), STACK)

    with pytest.raises(AdapterError, match=r"takes no events.*lambda:shop:app"):
        adapter.invoke(make_invoke(b"{}"), RecordingSink())
