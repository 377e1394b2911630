"""Settings that are read from the home folder, if there are any."""

from pathlib import Path

from flask import Flask

app = Flask(__name__)


@app.post("/theme/<name>")
def theme(name):
    Path("~/.shop").expanduser().exists()
    return name
