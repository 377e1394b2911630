"""A bare ASGI app that does not mind that it gets no pipe."""

import os


async def app(scope, receive, send):
    assert scope["type"] == "http"
    try:
        os.mkfifo("orders.pipe")  # BUG: SL101
    except OSError:
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})
