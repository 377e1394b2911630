"""A thread that is done when the app is imported."""

import threading

from flask import Flask

app = Flask(__name__)


def refresh():
    pass


thread = threading.Thread(target=refresh, daemon=True)
thread.start()
thread.join()


@app.get("/")
def index():
    return "hello"
