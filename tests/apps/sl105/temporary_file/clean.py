"""A program that only reads what it was deployed with."""

import json
import os
import tempfile

from flask import Flask

app = Flask(__name__)
FOLDER = os.path.join(os.path.dirname(__file__), "data")


@app.post("/users/<name>")
def add_user(name):
    path = os.path.join(FOLDER, "users.json")
    with open(path) as file:
        users = json.load(file)
    users.append(name)
    handle, temporary = tempfile.mkstemp()
    with os.fdopen(handle, "w") as file:
        json.dump(users, file)
    os.unlink(temporary)
    return users
