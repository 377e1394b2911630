"""A program that is started and left alone."""

import subprocess

from flask import Flask

app = Flask(__name__)


@app.post("/convert")
def convert():
    subprocess.Popen(["sleep", "5"])  # BUG: SL301
    return "started", 202
