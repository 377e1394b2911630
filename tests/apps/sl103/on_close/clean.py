"""A file whose last bytes fit."""

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    file = open("/tmp/rows.txt", "w", buffering=4_000_000)
    file.write("x" * 200_000)
    file.close()
    return "written"
