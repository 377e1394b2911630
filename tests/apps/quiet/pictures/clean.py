"""Pillow below /tmp."""

import io
import os

from flask import Flask
from PIL import Image

app = Flask(__name__)


@app.get("/")
def thumbnail():
    Image.new("RGB", (100, 100), "red").save("/tmp/picture.png")
    with Image.open("/tmp/picture.png") as picture:
        picture.thumbnail((10, 10))
        body = io.BytesIO()
        picture.save(body, "JPEG")
    os.unlink("/tmp/picture.png")
    return body.getvalue(), {"Content-Type": "image/jpeg"}
