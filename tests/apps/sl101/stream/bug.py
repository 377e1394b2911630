"""A generator that writes while its response is on its way."""

from flask import Flask

app = Flask(__name__)


def rows():
    yield "one\n"
    with open("export.txt", "w") as file:  # BUG: SL101
        file.write("two")
    yield "two\n"


@app.get("/")
def index():
    return rows()
