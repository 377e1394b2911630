"""A temporary file in the working directory."""

import tempfile

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    with tempfile.NamedTemporaryFile(dir=".") as file:  # BUG: SL101
        file.write(b"x")
    return "hello"
