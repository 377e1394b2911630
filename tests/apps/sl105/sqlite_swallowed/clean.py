"""A read of sqlite that may fail."""

import sqlite3

from fastapi import FastAPI

app = FastAPI()


@app.get("/items")
async def items():
    connection = sqlite3.connect("catalogue.sqlite3")
    try:
        connection.execute("SELECT * FROM no_such_table")
    except sqlite3.OperationalError:
        pass
    return connection.execute("SELECT name FROM items").fetchall()
