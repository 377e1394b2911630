"""Sessions that a library keeps in files that go with their instance."""

import folder_sessions
from flask import Flask, session

app = Flask(__name__)
folder_sessions.FolderSessions(app, "sessions")  # BUG: SL101 warning


@app.get("/")
def index():
    session["visits"] = 1
    return "hello"
