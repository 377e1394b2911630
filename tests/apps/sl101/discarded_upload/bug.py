"""An upload folder on a disk that goes with its instance."""

import os

from flask import Flask, request

app = Flask(__name__)
os.makedirs("uploads", exist_ok=True)


@app.post("/upload")
def upload():
    picture = request.files["picture"]
    picture.save(os.path.join("uploads", picture.filename))  # BUG: SL101 warning
    return {"path": f"/uploads/{picture.filename}"}, 201
