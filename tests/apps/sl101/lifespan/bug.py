"""A folder that FastAPI's lifespan makes."""

import os
from contextlib import asynccontextmanager

from fastapi import FastAPI


@asynccontextmanager
async def lifespan(app):
    os.makedirs("data/cache", exist_ok=True)  # BUG: SL101
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def index():
    return "hello"
