"""Settings in a json file that the first request makes."""

import contextlib
import json

from fastapi import FastAPI

app = FastAPI()


@app.post("/settings/{name}/{value}")
def change(name: str, value: str):
    settings = {}
    with contextlib.suppress(FileNotFoundError), open("settings.json") as file:
        settings = json.load(file)
    settings[name] = value
    with open("settings.json", "w") as file:  # BUG: SL105
        json.dump(settings, file)
    return settings
