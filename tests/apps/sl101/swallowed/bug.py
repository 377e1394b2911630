"""A report that is lost without a word."""

import contextlib

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    with contextlib.suppress(OSError), open("report.txt", "w") as file:  # BUG: SL101
        file.write("done")
    return "hello"
