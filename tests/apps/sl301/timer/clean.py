"""A timer that watches over the work of one request."""

import threading

from flask import Flask

app = Flask(__name__)


def set_free():
    print("free")


@app.post("/seats")
def reserve():
    timer = threading.Timer(60, set_free)
    timer.start()
    timer.cancel()
    return "reserved"
