"""A catalogue that is deployed with its sqlite database, and only reads it."""

import sqlite3

from flask import Flask

app = Flask(__name__)


@app.get("/items")
def items():
    connection = sqlite3.connect("catalogue.sqlite3")
    found = connection.execute("SELECT name FROM items").fetchall()
    connection.execute("SELECT count(*) FROM visits").fetchone()
    connection.commit()
    connection.close()
    return [name for (name,) in found]
