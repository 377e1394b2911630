"""A download that does not fit into /tmp."""

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    with open("/tmp/download.zip", "wb") as file:
        file.write(b"x" * 2_000_000)  # BUG: SL103
    return "loaded"
