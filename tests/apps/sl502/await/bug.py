"""An async endpoint that awaits something that does not come."""

import asyncio

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def index():
    await asyncio.Event().wait()  # BUG: SL502
    return "hello"
