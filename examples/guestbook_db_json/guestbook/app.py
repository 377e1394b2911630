"""A guestbook that keeps its entries in db.json.

It works on a laptop. On a serverless platform the file cannot be written, and could it be, then
each instance would have its own.
"""

import json

from flask import Flask, jsonify, request

app = Flask(__name__)


def read_entries():
    with open("db.json", encoding="utf-8") as file:
        return json.load(file)


def write_entries(entries):
    with open("db.json", "w", encoding="utf-8") as file:
        json.dump(entries, file)


@app.get("/entries")
def list_entries():
    return jsonify(read_entries())


@app.post("/entries")
def sign():
    entries = read_entries()
    entries.append({"name": request.json["name"], "text": request.json["text"]})
    write_entries(entries)
    return jsonify(entries[-1]), 201
