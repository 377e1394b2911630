"""A bare ASGI app that works on after its last body message."""

import asyncio


async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})
    await asyncio.sleep(5)  # BUG: SL301
