"""A download that is larger than the instance's own disk, which is in memory."""

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    with open("download.zip", "wb") as file:
        for _ in range(70):
            file.write(b"x" * (1 << 20))  # BUG: SL103
    return "loaded"
