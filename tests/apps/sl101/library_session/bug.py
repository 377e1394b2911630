"""Sessions that a library keeps in files: the app is not on the stack when it writes."""

import folder_sessions
from flask import Flask, session

app = Flask(__name__)
folder_sessions.FolderSessions(app, "sessions")  # BUG: SL101


@app.get("/")
def index():
    session["visits"] = 1
    return "hello"
