"""A log of requests that Flask's teardown prints."""

from flask import Flask

app = Flask(__name__)


@app.teardown_request
def log(error):
    print("asked")


@app.get("/")
def index():
    return "hello"
