"""An upload that is looked at and kept nowhere, in a folder of a service's."""

import os

from flask import Flask, request

app = Flask(__name__)
os.makedirs("uploads", exist_ok=True)


@app.post("/upload")
def upload():
    picture = request.files["picture"]
    picture.save(os.path.join("service", picture.filename))
    return {"path": f"/service/{picture.filename}"}, 201
