"""A process of the app's own that is joined."""

import multiprocessing

from flask import Flask

app = Flask(__name__)


def convert():
    pass


@app.post("/convert")
def start():
    process = multiprocessing.get_context("fork").Process(target=convert)
    process.start()
    process.join()
    return "started", 202
