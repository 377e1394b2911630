"""A shell command that writes: no event of Python's shows it."""

import subprocess

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    subprocess.run("date > report.txt", shell=True, check=False)  # BUG: SL101
    return "hello"
