"""A log file on a disk that goes with its instance."""

import logging

logging.getLogger().addHandler(logging.FileHandler("app.log"))  # BUG: SL101 warning


def app(environ, start_response):
    logging.warning("served")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
