"""A log to stderr."""

import logging

logging.getLogger().addHandler(logging.StreamHandler())


def app(environ, start_response):
    logging.warning("served")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
