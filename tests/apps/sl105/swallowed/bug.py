"""A guest book that answers 200 although it has kept nothing."""

import json

from flask import Flask, request

app = Flask(__name__)


@app.post("/entries")
def add_entry():
    with open("db.json") as file:
        found = json.load(file)
    found.append(request.json["text"])
    try:
        with open("db.json", "w") as file:  # BUG: SL105
            json.dump(found, file)
    except OSError:
        pass
    return found
