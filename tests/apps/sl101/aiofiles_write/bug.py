"""A write that a library does in a thread of the loop's."""

import aiofiles
from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def index():
    async with aiofiles.open("report.txt", "w") as file:  # BUG: SL101
        await file.write("done")
    return "hello"
