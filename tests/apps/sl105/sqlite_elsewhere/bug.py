"""A database in a working directory outside of the project."""

import sqlite3

from flask import Flask

app = Flask(__name__)


@app.post("/items/<name>")
def add_item(name):
    with sqlite3.connect("shop.db") as connection:
        connection.execute("INSERT INTO items VALUES (?)", (name,))  # BUG: SL105
    return name
