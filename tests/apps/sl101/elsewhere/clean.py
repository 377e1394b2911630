"""A file below /tmp, in a working directory outside of the project."""

import tempfile

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    with tempfile.NamedTemporaryFile("w") as file:
        file.write("done")
    return "hello"
