"""Uploads that are kept in a folder next to the app."""

import os

from flask import Flask, request

app = Flask(__name__)


@app.post("/upload")
def upload():
    os.makedirs("uploads", exist_ok=True)  # BUG: SL101
    request.files["picture"].save("uploads/picture.png")
    return "kept", 201
