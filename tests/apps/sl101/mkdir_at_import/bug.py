"""A cache folder that is made as the app is imported."""

from pathlib import Path

from fastapi import FastAPI

CACHE = Path("cache")
CACHE.mkdir(exist_ok=True)  # BUG: SL101
app = FastAPI()


@app.get("/")
async def index():
    return CACHE.name
