"""A shop whose sqlite database is made where it is missing."""

import sqlite3

from flask import Flask

app = Flask(__name__)


def connect():
    connection = sqlite3.connect("shop.db")  # BUG: SL105
    connection.execute("CREATE TABLE IF NOT EXISTS orders (sku TEXT)")
    return connection


@app.post("/orders/<sku>")
def order(sku):
    with connect() as connection:
        connection.execute("INSERT INTO orders VALUES (?)", (sku,))
    return "ordered"
