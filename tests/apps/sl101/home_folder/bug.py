"""Settings that are written to the home folder."""

from pathlib import Path

from flask import Flask

app = Flask(__name__)


@app.post("/theme/<name>")
def theme(name):
    Path("~/.shop").expanduser().write_text(name)  # BUG: SL101
    return name
