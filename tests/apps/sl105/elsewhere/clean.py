"""A guest book that is only read, in a working directory outside of the project."""

import json

from flask import Flask

app = Flask(__name__)


@app.post("/entries/<text>")
def add_entry(text):
    with open("db.json") as file:
        found = json.load(file)
    return [*found, text]
