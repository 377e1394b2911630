"""A download through the app."""

from flask import Flask

app = Flask(__name__)  # BUG: SL501


@app.get("/download")
def download():
    return b"x" * 7_000_000
