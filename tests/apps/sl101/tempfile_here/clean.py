"""A temporary file where such files belong."""

import tempfile

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"x")
    return "hello"
