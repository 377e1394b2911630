"""A program that is waited for."""

import subprocess

from flask import Flask

app = Flask(__name__)


@app.post("/convert")
def convert():
    subprocess.run(["sleep", "0.01"], check=True)
    return "started", 202
