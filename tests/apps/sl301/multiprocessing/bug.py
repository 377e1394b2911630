"""A process of the app's own that is left alone."""

import multiprocessing
import time

from flask import Flask

app = Flask(__name__)


def convert():
    time.sleep(5)


@app.post("/convert")
def start():
    process = multiprocessing.get_context("fork").Process(target=convert)
    process.start()  # BUG: SL301
    return "started", 202
