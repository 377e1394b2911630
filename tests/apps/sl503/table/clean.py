"""A view that holds some rows at once."""

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    rows = bytearray(b"x") * 6_000_000
    return str(len(rows))
