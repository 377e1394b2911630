"""A log that goes to stderr."""

import logging

from flask import Flask

logging.getLogger().addHandler(logging.StreamHandler())
app = Flask(__name__)


@app.get("/")
def index():
    logging.warning("asked")
    return "hello"
