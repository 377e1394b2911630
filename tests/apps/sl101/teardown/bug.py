"""A log of requests that Flask's teardown writes."""

from flask import Flask

app = Flask(__name__)


@app.teardown_request
def log(error):
    with open("requests.txt", "a") as file:  # BUG: SL101
        file.write("asked")


@app.get("/")
def index():
    return "hello"
