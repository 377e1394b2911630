"""A careful program, in a folder of a service's."""

import json
import os

from flask import Flask

app = Flask(__name__)


@app.post("/users/<name>")
def add_user(name):
    with open("service/users.json") as file:
        users = json.load(file)
    users.append(name)
    with open("service/users.json.tmp", "w") as file:
        json.dump(users, file)
    os.replace("service/users.json.tmp", "service/users.json")
    return users
