"""A tool that was deployed as an executable."""

import os

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def index():
    os.access("tool.sh", os.X_OK)
    return "ready"
