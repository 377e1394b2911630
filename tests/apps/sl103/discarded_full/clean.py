"""A download that is taken in pieces."""

import os

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    for _ in range(70):
        with open("piece", "wb") as file:
            file.write(b"x" * (1 << 20))
    os.remove("piece")
    return "loaded"
