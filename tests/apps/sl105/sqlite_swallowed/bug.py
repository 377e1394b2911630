"""A log of visits in sqlite whose failure nobody hears of."""

import sqlite3

from fastapi import FastAPI

app = FastAPI()


@app.get("/items")
async def items():
    connection = sqlite3.connect("catalogue.sqlite3")
    try:
        connection.execute("UPDATE visits SET path = '/'")  # BUG: SL105
    except sqlite3.OperationalError:
        pass
    return connection.execute("SELECT name FROM items").fetchall()
