"""Libraries whose idle threads and caches harm nobody."""

import concurrent.futures
import functools
import json
import logging
import logging.handlers
import queue
import sqlite3
import threading
import urllib.parse

from flask import Flask

app = Flask(__name__)
pool = concurrent.futures.ThreadPoolExecutor(2)
local = threading.local()


@functools.lru_cache
def square(number):
    return number * number


@app.get("/pool")
def use_pool():
    return list(pool.map(square, range(5)))


@app.get("/lock")
def lock():
    with threading.Lock(), threading.RLock():
        local.value = queue.SimpleQueue()
    return "lock"


@app.get("/memory")
def memory():
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (x)")
    connection.execute("INSERT INTO t VALUES (1)")
    connection.commit()
    connection.close()
    connection = sqlite3.connect("/tmp/scratch.db")
    connection.execute("CREATE TABLE t (x)")
    connection.commit()
    connection.close()
    return json.dumps(urllib.parse.parse_qs("a=1"))


@app.get("/log")
def log():
    logging.getLogger("shop").error("no stock")
    try:
        raise ValueError("no sku")
    except ValueError:
        logging.exception("handled")
    return "log"
