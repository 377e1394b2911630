"""A thread of the request that writes."""

import threading

from flask import Flask

app = Flask(__name__)


def write_report():
    with open("report.txt", "w") as file:  # BUG: SL101
        file.write("done")


@app.get("/")
def index():
    thread = threading.Thread(target=write_report)
    thread.start()
    thread.join()
    return "hello"
