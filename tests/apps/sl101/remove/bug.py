"""A request that deletes a file."""

import os

from fastapi import FastAPI

app = FastAPI()


@app.delete("/mail")
def delete():
    os.remove("inbox/mail.txt")  # BUG: SL101
    return "gone"
