"""A guest book in the visitor's own signed cookie."""

import json

from flask import Flask, request, session

app = Flask(__name__)
app.secret_key = "the same on every instance"


@app.get("/entries")
def entries():
    with open("db.json") as file:
        return json.load(file)


@app.post("/entries")
def add_entry():
    with open("db.json") as file:
        found = json.load(file)
    found.append(request.json["text"])
    session["entries"] = found
    return found, 201
