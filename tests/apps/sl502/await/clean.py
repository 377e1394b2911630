"""An async endpoint that does not wait for ever."""

import asyncio

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def index():
    await asyncio.sleep(0.01)
    return "hello"
