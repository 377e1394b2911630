"""A table that each instance makes in memory."""

import sqlite3

from flask import Flask

app = Flask(__name__)
connection = sqlite3.connect(":memory:", check_same_thread=False)
connection.execute("CREATE TABLE items (name TEXT)")
connection.execute("INSERT INTO items VALUES ('tea')")
connection.commit()


@app.get("/items")
def items():
    return [name for (name,) in connection.execute("SELECT name FROM items")]
