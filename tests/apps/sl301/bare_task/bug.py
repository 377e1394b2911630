"""A task of a bare ASGI app."""

import asyncio

tasks = []


async def send_mail():
    await asyncio.sleep(5)


async def app(scope, receive, send):
    assert scope["type"] == "http"
    tasks.append(asyncio.ensure_future(send_mail()))  # BUG: SL301
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})
