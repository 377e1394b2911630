"""A daemon by the book."""

import os
import time


def handler(event, context):
    if (child := os.fork()) == 0:  # BUG: SL301
        os.setsid()
        if os.fork() == 0:
            time.sleep(5)
        os._exit(0)
    os.waitpid(child, 0)
    return "started"
