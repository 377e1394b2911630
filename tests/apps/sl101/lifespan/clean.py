"""A folder below /tmp that FastAPI's lifespan makes."""

import os
from contextlib import asynccontextmanager

from fastapi import FastAPI


@asynccontextmanager
async def lifespan(app):
    os.makedirs("/tmp/data/cache", exist_ok=True)
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def index():
    return "hello"
