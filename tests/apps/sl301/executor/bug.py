"""Work that is given to a pool, and left to it."""

import time
from concurrent.futures import ThreadPoolExecutor

from flask import Flask

app = Flask(__name__)
pool = ThreadPoolExecutor(2)


def resize():
    time.sleep(0.2)


@app.post("/pictures")
def add_picture():
    pool.submit(resize)  # BUG: SL301
    return "accepted", 202
