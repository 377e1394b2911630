"""A task that nobody awaits."""

import asyncio

from fastapi import FastAPI

app = FastAPI()
tasks = set()


async def send_mail():
    await asyncio.sleep(5)


@app.post("/orders")
async def order():
    tasks.add(asyncio.create_task(send_mail()))  # BUG: SL301
    return "ordered"
