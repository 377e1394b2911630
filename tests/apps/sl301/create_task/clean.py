"""A task that is awaited."""

import asyncio

from fastapi import FastAPI

app = FastAPI()


async def send_mail():
    await asyncio.sleep(0.01)


@app.post("/orders")
async def order():
    await asyncio.gather(send_mail(), send_mail())
    return "ordered"
