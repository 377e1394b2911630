"""A view that waits for a while."""

import time

from flask import Flask

app = Flask(__name__)


def wait_for_stock():
    time.sleep(0.05)
    return "none"


@app.get("/")
def index():
    return wait_for_stock()
