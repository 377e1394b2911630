"""A bare ASGI app that makes a pipe below /tmp."""

import os


async def app(scope, receive, send):
    assert scope["type"] == "http"
    try:
        os.mkfifo("/tmp/orders.pipe")
    except OSError:
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})
