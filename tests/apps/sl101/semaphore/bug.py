"""A lock of multiprocessing, which is a file in /dev/shm."""

import multiprocessing

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    with multiprocessing.Lock():  # BUG: SL101
        return "hello"
