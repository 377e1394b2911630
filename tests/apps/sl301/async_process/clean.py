"""A program that an async endpoint starts and awaits."""

import asyncio

from fastapi import FastAPI

app = FastAPI()


@app.post("/convert")
async def convert():
    process = await asyncio.create_subprocess_exec("sleep", "0.01")
    return await process.wait()
