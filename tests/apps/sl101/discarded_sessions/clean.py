"""Sessions in a signed cookie."""

import folder_sessions
from flask import Flask, session

app = Flask(__name__)
app.secret_key = folder_sessions.__name__


@app.get("/")
def index():
    session["visits"] = 1
    return "hello"
