"""Litestar, with a sync handler in its thread and a background thread of its own."""

from litestar import Litestar, get
from litestar.response import Stream


@get("/", sync_to_thread=True)
def index() -> str:
    return "hello"


@get("/async")
async def asynchronous() -> dict[str, int]:
    return {"one": 1}


@get("/stream", sync_to_thread=False)
def stream() -> Stream:
    return Stream(iter(["one", "two"]))


app = Litestar([index, asynchronous, stream])
