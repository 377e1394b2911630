"""A loop of the app's own that starts with it."""

import threading
import time

from flask import Flask

app = Flask(__name__)


def refresh():
    while True:
        time.sleep(60)


threading.Thread(target=refresh, daemon=True).start()  # BUG: SL301


@app.get("/")
def index():
    return "hello"
