"""A request that deletes its own temporary file, if it is there."""

import contextlib
import os

from fastapi import FastAPI

app = FastAPI()


@app.delete("/mail")
def delete():
    with contextlib.suppress(FileNotFoundError):
        os.remove("/tmp/mail.txt")
    return "gone"
