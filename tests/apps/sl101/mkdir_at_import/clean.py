"""A cache folder below /tmp."""

from pathlib import Path

from fastapi import FastAPI

CACHE = Path("/tmp/cache")
CACHE.mkdir(exist_ok=True)
app = FastAPI()


@app.get("/")
async def index():
    return CACHE.name
