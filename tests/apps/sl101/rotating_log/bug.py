"""A log file that is opened with the first record, and logging keeps its troubles to itself."""

import logging.handlers

from flask import Flask

logger = logging.getLogger("shop")
logger.addHandler(logging.handlers.RotatingFileHandler("shop.log", delay=True))
app = Flask(__name__)


@app.get("/")
def index():
    logger.warning("asked")  # BUG: SL101
    return "hello"
