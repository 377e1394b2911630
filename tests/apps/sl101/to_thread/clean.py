"""A write below /tmp that an async endpoint hands to a thread."""

import asyncio
from pathlib import Path

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def index():
    await asyncio.to_thread(Path("/tmp/report.txt").write_text, "done")
    return "hello"
