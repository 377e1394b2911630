"""A guest book in a json file of a service's."""

import json

from flask import Flask, request

app = Flask(__name__)


@app.get("/entries")
def entries():
    with open("service/db.json") as file:
        return json.load(file)


@app.post("/entries")
def add_entry():
    with open("service/db.json") as file:
        found = json.load(file)
    found.append(request.json["text"])
    with open("service/db.json", "w") as file:
        json.dump(found, file)
    return found, 201
