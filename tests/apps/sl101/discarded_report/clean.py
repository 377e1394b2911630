"""A report that is gone when it has been answered with."""

import os

from flask import Flask

app = Flask(__name__)


@app.get("/report")
def report():
    with open("report.html", "w") as file:
        file.write("<h1>Sold today</h1>")
    with open("report.html") as file:
        text = file.read()
    os.remove("report.html")
    return text
