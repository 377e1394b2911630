"""A task that a streamed response leaves behind."""

import asyncio

from fastapi import FastAPI
from fastapi.responses import StreamingResponse

app = FastAPI()
tasks = []


async def send_mail():
    await asyncio.sleep(5)


async def rows():
    yield "one\n"
    tasks.append(asyncio.create_task(send_mail()))  # BUG: SL301
    yield "two\n"


@app.get("/")
async def index():
    return StreamingResponse(rows())
