"""An upload that is read and passed on."""

from flask import Flask, request

app = Flask(__name__)


@app.post("/upload")
def upload():
    file = request.files["picture"]
    size = len(file.read())
    return f"{size} bytes", 201
