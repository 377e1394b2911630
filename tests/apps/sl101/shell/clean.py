"""A shell command that writes below /tmp."""

import subprocess

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    subprocess.run("date > /tmp/report.txt", shell=True, check=False)
    return "hello"
