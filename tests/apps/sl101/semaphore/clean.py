"""A lock of threading, and of multiprocessing what needs no /dev/shm."""

import multiprocessing
import threading

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    ours, theirs = multiprocessing.Pipe()
    theirs.send("hello")
    with threading.Lock():
        return ours.recv()
