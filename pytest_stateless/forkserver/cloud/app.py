"""What a worker serves: moto's own application, by HTTP and by instances' sockets.

Source: https://docs.getmoto.org/en/latest/docs/server_mode.html
"""

from __future__ import annotations

import io
import logging
import sys
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes, urlsplit

from pytest_stateless.forkserver.cloud.calls import NOT_IMPLEMENTED, take_calls, word_failure
from pytest_stateless.wire.cloud import AwsAnswer

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable

    from pytest_stateless.forkserver.cloud.gate import Gate
    from pytest_stateless.wire.cloud import AwsCall

Environ = dict[str, Any]
StartResponse = Any
Application = Any  # a WSGI application

_UNDERSCORED = "moto.preserved_header_names"
"""Where moto looks for headers of which the environment cannot keep the spelling: S3 metadata."""
_APPLICATION: list[Application] = []
"""moto's, once it is imported."""


def import_moto() -> None:
    """Import moto's server.

    Raises:
        ImportError: It is not installed, or not all that its server needs.
    """
    from moto.moto_server.werkzeug_app import (  # noqa: PLC0415 (optional, and heavy)
        DomainDispatcherApplication,
        create_backend_app,
    )

    def create(service: Any) -> Application:  # noqa: ANN401 (moto's own name of one)
        application = create_backend_app(service)
        application.config["PROPAGATE_EXCEPTIONS"] = True
        return application

    _APPLICATION.append(DomainDispatcherApplication(create))


def start_serving(gate: Gate, http: socket.socket, calls: socket.socket) -> None:
    """Answer calls in threads from now on.

    Args:
        gate: What each call passes through.
        http: A listening socket for HTTP.
        calls: A listening socket for instances' calls.
    """
    from moto.moto_server.werkzeug_app import MotoRequestHandler  # noqa: PLC0415 (as above)
    from werkzeug.serving import make_server  # noqa: PLC0415

    application = _through(gate, _APPLICATION[0])
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    host, port = http.getsockname()
    server = make_server(
        host,
        port,
        application,
        threaded=True,
        request_handler=MotoRequestHandler,
        fd=http.fileno(),
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    take_calls(calls, lambda call: answer(call, application))


def _through(gate: Gate, application: Application) -> Application:
    def guarded(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        with gate.call(f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '')}"):
            try:
                body: Iterable[bytes] = application(environ, start_response)
            except Exception as error:  # noqa: BLE001 (moto may raise anything)
                kind, text = word_failure(
                    error,
                    content_type=environ.get("CONTENT_TYPE", ""),
                    is_targeted="HTTP_X_AMZ_TARGET" in environ,
                )
                start_response(f"{NOT_IMPLEMENTED} Not Implemented", [("Content-Type", kind)])
                return [text]
            try:
                return [b"".join(body)]
            finally:
                close: Callable[[], None] | None = getattr(body, "close", None)
                if close is not None:
                    close()

    return guarded


def answer(call: AwsCall, application: Application) -> AwsAnswer:
    """Have a WSGI application answer a call.

    Args:
        call: The call.
        application: The application.

    Returns:
        Its response.
    """
    started: list[tuple[int, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], *_: object) -> None:
        started.append((int(status.partition(" ")[0]), headers))

    body = b"".join(application(_environ_of(call), start_response))
    status, headers = started[-1]
    return AwsAnswer(status=status, headers=tuple(headers), blob=body)


def _environ_of(call: AwsCall) -> Environ:
    """Make the environment of a WSGI application.

    Source: https://peps.python.org/pep-3333/#environ-variables
    """  # noqa: DOC201 (the summary says it)
    parts = urlsplit(call.url)
    path = unquote_to_bytes(parts.path).decode("latin-1")
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    environ: Environ = {
        "REQUEST_METHOD": call.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "RAW_URI": target,
        "REQUEST_URI": target,
        "QUERY_STRING": parts.query,
        "SERVER_NAME": parts.hostname or "",
        "SERVER_PORT": str(parts.port or 80),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": parts.netloc,
        "CONTENT_LENGTH": str(len(call.blob)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": parts.scheme,
        "wsgi.input": io.BytesIO(call.blob),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    underscored: dict[str, str] = {}
    for name, value in call.headers:
        key = name.upper().replace("-", "_")
        if name.lower().startswith("x-amz-meta-") and "_" in name:
            underscored[f"HTTP_{key}"] = name
        if key in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            environ[key] = value
        elif key != "HOST":
            environ[f"HTTP_{key}"] = value
    environ[_UNDERSCORED] = underscored
    return environ
