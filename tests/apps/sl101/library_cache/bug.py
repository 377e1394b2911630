"""A library that wants a cache folder, and can do without."""

from flask import Flask

import plotting  # BUG: SL101 warning

app = Flask(__name__)


@app.get("/")
def index():
    return plotting.draw()
