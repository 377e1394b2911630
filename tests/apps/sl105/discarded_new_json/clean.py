"""Settings that come with each request, and are looked up in a json file if there is one."""

import contextlib
import json

from fastapi import FastAPI

app = FastAPI()


@app.post("/settings/{name}/{value}")
def change(name: str, value: str):
    settings = {}
    with contextlib.suppress(FileNotFoundError), open("settings.json") as file:
        settings = json.load(file)
    return {**settings, name: value}
