"""A report that a request leaves on a disk that goes with its instance."""

from flask import Flask

app = Flask(__name__)


@app.get("/report")
def report():
    with open("report.html", "w") as file:  # BUG: SL101 warning
        file.write("<h1>Sold today</h1>")
    return {"report": "report.html"}
