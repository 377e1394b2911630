"""A generator that writes below /tmp while its response is on its way."""

from flask import Flask

app = Flask(__name__)


def rows():
    yield "one\n"
    with open("/tmp/export.txt", "w") as file:
        file.write("two")
    yield "two\n"


@app.get("/")
def index():
    return rows()
