"""A child by the book."""

import os
import time


def handler(event, context):
    if (child := os.fork()) == 0:
        os.setsid()
        time.sleep(0.01)
        os._exit(0)
    os.waitpid(child, 0)
    return "started"
