"""The WSGI environment of one request.

Source: PEP 3333, "environ Variables"; RAW_URI and REQUEST_URI are what gunicorn and uWSGI add.
"""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from pytest_stateless.wire.messages import Serve

CLIENT_ADDRESS = "127.0.0.1"


def make_environ(request: Serve, chunks: tuple[bytes, ...]) -> dict[str, object]:
    """Make the environment.

    Args:
        request: The head of the request.
        chunks: Its body.

    Returns:
        A new dictionary, which the app may change.
    """
    target = f"{request.raw_path}?{request.query}" if request.query else request.raw_path
    environ: dict[str, object] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(request.raw_path).decode("latin-1"),
        "QUERY_STRING": request.query,
        "RAW_URI": target,
        "REQUEST_URI": target,
        "SERVER_NAME": request.host,
        "SERVER_PORT": str(request.port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "pytest-stateless",
        "REMOTE_ADDR": CLIENT_ADDRESS,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": request.scheme,
        "wsgi.input": io.BytesIO(b"".join(chunks)),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    environ.update(_header_variables(request.headers))
    return environ


def _header_variables(headers: tuple[tuple[str, str], ...]) -> dict[str, str]:
    variables: dict[str, str] = {}
    for name, value in headers:
        if "_" in name:  # `x_user` would pass for `x-user`: servers drop it (CVE-2015-0219)
            continue
        key = name.upper().replace("-", "_")
        if key in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            variables[key] = value
            continue
        key = f"HTTP_{key}"
        separator = "; " if key == "HTTP_COOKIE" else ","
        variables[key] = f"{variables[key]}{separator}{value}" if key in variables else value
    return variables
