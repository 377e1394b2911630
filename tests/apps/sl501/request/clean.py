"""A small upload through the app."""

from flask import Flask, request

app = Flask(__name__)


@app.post("/upload")
def upload():
    return str(len(request.data))
