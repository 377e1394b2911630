"""Work that an async endpoint hands to a thread of the loop's, and awaits."""

import asyncio
import time

from fastapi import FastAPI

app = FastAPI()


def resize():
    time.sleep(0.1)


@app.post("/pictures")
async def add_picture():
    await asyncio.get_running_loop().run_in_executor(None, resize)
    return "accepted"
