"""A guest book and a database in a working directory outside of the project."""

import json
import os

from flask import Flask

app = Flask(__name__)


@app.post("/entries/<text>")
def add_entry(text):
    with open("db.json") as file:
        found = json.load(file)
    with open("db.json.new", "w") as file:  # BUG: SL105
        json.dump([*found, text], file)
    os.replace("db.json.new", "db.json")
    return "kept"
