"""A log file that is opened as the app is imported."""

import logging

from flask import Flask

logging.getLogger().addHandler(logging.FileHandler("app.log"))  # BUG: SL101
app = Flask(__name__)


@app.get("/")
def index():
    logging.warning("asked")
    return "hello"
