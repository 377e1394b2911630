"""A small download through the app."""

from flask import Flask

app = Flask(__name__)


@app.get("/download")
def download():
    return b"x" * 4_000_000
