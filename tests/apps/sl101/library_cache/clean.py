"""A library that is told where its cache folder is."""

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    import os

    os.environ["PLOTTING_CACHE"] = "/tmp/plotting"
    import plotting

    return plotting.draw()
