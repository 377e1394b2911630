"""A careful program: it writes next to the file, then renames."""

import json
import os

from flask import Flask

app = Flask(__name__)


@app.post("/users/<name>")
def add_user(name):
    with open("users.json") as file:
        users = json.load(file)
    users.append(name)
    with open("users.json.tmp", "w") as file:
        json.dump(users, file)
    os.replace("users.json.tmp", "users.json")  # BUG: SL105
    return users
