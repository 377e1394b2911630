"""A view that holds all rows at once."""

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    rows = bytearray(b"x") * 600_000_000  # BUG: SL503
    return str(len(rows))
