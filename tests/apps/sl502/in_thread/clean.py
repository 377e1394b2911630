"""A sync endpoint, in FastAPI's thread, that waits for a while."""

import threading

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def index():
    threading.Event().wait(0.01)
    return "hello"
