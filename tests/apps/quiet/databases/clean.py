"""Databases that are read, and what looks like a write and is none."""

import contextlib
import os
import shutil
import sqlite3

from flask import Flask

app = Flask(__name__)


@app.get("/read")
def read():
    with contextlib.closing(sqlite3.connect("shop.db")) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS items (name TEXT)")
        connection.execute("CREATE TEMPORARY TABLE found (name TEXT)")
        connection.execute("INSERT INTO found SELECT name FROM items")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.commit()
        return connection.execute("SELECT name FROM found").fetchall()


@app.get("/uri")
def uri():
    with contextlib.closing(sqlite3.connect("file:shop.db?mode=ro", uri=True)) as connection:
        return connection.execute("SELECT name FROM items").fetchall()


@app.get("/missing")
def missing():
    with contextlib.suppress(OSError):
        os.remove("no_such_file")
    with contextlib.suppress(OSError):
        os.rename("no_such_file", "other")
    shutil.rmtree("no_such_folder", ignore_errors=True)
    return "missing"


@app.get("/copy")
def copy():
    shutil.copy("shop.db", "/tmp/shop.db")
    with contextlib.closing(sqlite3.connect("/tmp/shop.db")) as connection:
        connection.execute("INSERT INTO items VALUES ('tea')")
        connection.commit()
    return "copied"
