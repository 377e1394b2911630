"""An upload into a folder that was deployed with the app."""

from flask import Flask, request

app = Flask(__name__)


@app.post("/upload")
def upload():
    file = request.files["picture"]
    file.save("media/" + file.filename)  # BUG: SL101
    return "kept", 201
