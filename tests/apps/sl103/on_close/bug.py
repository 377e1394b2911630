"""A file whose last bytes do not fit: it is the close that fails."""

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    file = open("/tmp/rows.txt", "w", buffering=4_000_000)
    file.write("x" * 2_000_000)
    file.close()  # BUG: SL103
    return "written"
