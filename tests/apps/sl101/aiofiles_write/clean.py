"""A write below /tmp that a library does in a thread of the loop's."""

import aiofiles
from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def index():
    async with aiofiles.open("/tmp/report.txt", "w") as file:
        await file.write("done")
    return "hello"
