"""A sync endpoint, in FastAPI's thread, that waits for ever."""

import threading

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def index():
    threading.Event().wait()  # BUG: SL502
    return "hello"
