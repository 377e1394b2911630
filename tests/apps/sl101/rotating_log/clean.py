"""A log that goes to stderr with the first record."""

import logging.handlers

from flask import Flask

logger = logging.getLogger("shop")
logger.addHandler(logging.StreamHandler())
app = Flask(__name__)


@app.get("/")
def index():
    logger.warning("asked")
    return "hello"
