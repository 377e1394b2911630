"""A task group of a bare ASGI app."""

import asyncio


async def send_mail():
    await asyncio.sleep(0.01)


async def app(scope, receive, send):
    assert scope["type"] == "http"
    async with asyncio.TaskGroup() as group:
        group.create_task(send_mail())
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})
