"""A download that fits into /tmp."""

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    with open("/tmp/download.zip", "wb") as file:
        file.write(b"x" * 200_000)
    return "loaded"
