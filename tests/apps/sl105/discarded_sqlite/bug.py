"""Orders in a sqlite file that each instance makes as it starts."""

import sqlite3

from flask import Flask

app = Flask(__name__)
connection = sqlite3.connect("orders.db", check_same_thread=False)
connection.execute("CREATE TABLE IF NOT EXISTS orders (sku TEXT)")


@app.post("/orders/<sku>")
def add_order(sku):
    with connection:
        connection.execute("INSERT INTO orders VALUES (?)", (sku,))  # BUG: SL105
    return {"count": connection.execute("SELECT count(*) FROM orders").fetchone()[0]}
