"""Uploads that are looked at below /tmp."""

import os
import tempfile

from flask import Flask, request

app = Flask(__name__)


@app.post("/upload")
def upload():
    with tempfile.TemporaryDirectory() as folder:
        request.files["picture"].save(os.path.join(folder, "picture.png"))
    return "kept", 201
