"""Work that an async endpoint hands to a thread of the loop's."""

import asyncio
import time

from fastapi import FastAPI

app = FastAPI()


def resize():
    time.sleep(0.3)


@app.post("/pictures")
async def add_picture():
    asyncio.get_running_loop().run_in_executor(None, resize)  # BUG: SL301
    return "accepted"
