"""Makes thumbnails in /tmp and keeps them in S3.

What the app keeps, it keeps in the bucket: any instance can answer any request. /tmp is used within
one request only, and left as it was found.
"""

import os
import tempfile

import boto3
from botocore.exceptions import ClientError
from flask import Flask, abort, request
from PIL import Image, UnidentifiedImageError

SIZE = (64, 64)

app = Flask(__name__)


def bucket():
    return boto3.resource("s3").Bucket(os.environ["THUMBNAIL_BUCKET"])


@app.put("/thumbnails/<name>")
def make(name):
    with tempfile.NamedTemporaryFile(dir="/tmp", suffix=".png") as file:
        try:
            with Image.open(request.stream) as image:
                image.thumbnail(SIZE)
                image.save(file.name)
        except UnidentifiedImageError:
            abort(415, "not an image")
        bucket().upload_file(file.name, f"{name}.png", ExtraArgs={"ContentType": "image/png"})
    return {"name": name}, 201


@app.get("/thumbnails/<name>")
def show(name):
    try:
        stored = bucket().Object(f"{name}.png").get()
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        abort(404)
    return app.response_class(stored["Body"].read(), mimetype="image/png")
