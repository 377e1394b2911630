"""A guest book that only reads its file."""

import json

from flask import Flask, request

app = Flask(__name__)


@app.post("/entries")
def add_entry():
    with open("db.json") as file:
        found = json.load(file)
    found.append(request.json["text"])
    try:
        with open("more.json") as file:
            found += json.load(file)
    except OSError:
        pass
    return found
