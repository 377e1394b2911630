"""A task that a streamed response waits for."""

import asyncio

from fastapi import FastAPI
from fastapi.responses import StreamingResponse

app = FastAPI()


async def send_mail():
    await asyncio.sleep(0.01)


async def rows():
    yield "one\n"
    await asyncio.create_task(send_mail())
    yield "two\n"


@app.get("/")
async def index():
    return StreamingResponse(rows())
