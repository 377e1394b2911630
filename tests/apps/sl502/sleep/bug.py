"""A view that waits for something that does not come."""

import time

from flask import Flask

app = Flask(__name__)


def wait_for_stock():
    while True:
        time.sleep(0.05)  # BUG: SL502


@app.get("/")
def index():
    return wait_for_stock()
