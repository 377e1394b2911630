"""A guest book in a json file that can be written, and goes with its instance."""

import json

from flask import Flask, request

app = Flask(__name__)


@app.get("/entries")
def entries():
    with open("db.json") as file:
        return json.load(file)


@app.post("/entries")
def add_entry():
    with open("db.json") as file:
        found = json.load(file)
    found.append(request.json["text"])
    with open("db.json", "w") as file:  # BUG: SL105
        json.dump(found, file)
    return found, 201
