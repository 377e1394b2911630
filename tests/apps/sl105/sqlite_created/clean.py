"""A shop that makes its sqlite database in memory, for one request."""

import sqlite3

from flask import Flask

app = Flask(__name__)


def connect():
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE IF NOT EXISTS orders (sku TEXT)")
    return connection


@app.post("/orders/<sku>")
def order(sku):
    with connect() as connection:
        connection.execute("INSERT INTO orders VALUES (?)", (sku,))
    connection.close()
    return "ordered"
