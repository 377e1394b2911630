"""FastAPI with all that runs in threads and around requests."""

import asyncio
import logging
import time
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI, UploadFile
from fastapi.responses import FileResponse, StreamingResponse
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware


@asynccontextmanager
async def lifespan(app):
    app.state.ready = True
    yield


class Timing(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        started = time.monotonic()
        response = await call_next(request)
        logging.getLogger("timing").info("%s took %s", request.url, time.monotonic() - started)
        return response


app = FastAPI(lifespan=lifespan)
app.add_middleware(Timing)
app.add_middleware(GZipMiddleware, minimum_size=1)


@app.middleware("http")
async def log_after(request, call_next):
    response = await call_next(request)
    logging.info("answered %s", response.status_code)
    return response


def sync_dependency():
    yield "sync"
    print("sync dependency done")


async def async_dependency():
    yield "async"
    print("async dependency done")


@app.get("/sync")
def sync(one=Depends(sync_dependency), two=Depends(async_dependency)):
    time.sleep(0.001)
    return [one, two]


@app.get("/async")
async def asynchronous(one=Depends(sync_dependency), two=Depends(async_dependency)):
    await asyncio.gather(asyncio.sleep(0), asyncio.to_thread(time.sleep, 0.001))
    return [one, two]


@app.get("/to_thread")
async def to_thread():
    return await asyncio.to_thread(str, 1)


@app.get("/stream")
async def stream():
    async def rows():
        for number in range(3):
            yield f"{number}\n"
            await asyncio.sleep(0)

    return StreamingResponse(rows())


@app.get("/sync_stream")
def sync_stream():
    return StreamingResponse(str(number) for number in range(3))


@app.get("/file")
def file():
    return FileResponse(__file__)


@app.post("/upload")
async def upload(picture: UploadFile):
    return len(await picture.read())


@app.get("/timeout")
async def timeout():
    try:
        await asyncio.wait_for(asyncio.sleep(5), 0.01)
    except TimeoutError:
        return "late"
