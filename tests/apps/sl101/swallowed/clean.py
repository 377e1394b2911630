"""A report that is read, if there is one."""

import contextlib

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    with contextlib.suppress(OSError), open("report.txt") as file:
        file.read()
    return "hello"
