"""A tool that is made executable before it is used."""

import os

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def index():
    os.chmod("tool.sh", 0o755)  # BUG: SL101
    return "ready"
