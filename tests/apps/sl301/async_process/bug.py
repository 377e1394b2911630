"""A program that an async endpoint starts and leaves alone."""

import asyncio

from fastapi import FastAPI

app = FastAPI()


@app.post("/convert")
async def convert():
    process = await asyncio.create_subprocess_exec("sleep", "5")  # BUG: SL301
    return process.pid
