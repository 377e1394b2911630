"""A seat that a timer will set free."""

import threading

from flask import Flask

app = Flask(__name__)


def set_free():
    print("free")


@app.post("/seats")
def reserve():
    timer = threading.Timer(60, set_free)
    timer.start()  # BUG: SL301
    return "reserved"
