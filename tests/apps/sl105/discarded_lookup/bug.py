"""A table that each instance makes from what came with the app: nothing is lost but the time."""

import sqlite3

from flask import Flask

app = Flask(__name__)
connection = sqlite3.connect("index.db", check_same_thread=False)  # BUG: SL105 warning
connection.execute("CREATE TABLE items (name TEXT)")
connection.execute("INSERT INTO items VALUES ('tea')")
connection.commit()


@app.get("/items")
def items():
    return [name for (name,) in connection.execute("SELECT name FROM items")]
