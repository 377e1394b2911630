"""A Flask app that has boto3 at hand."""

from __future__ import annotations

import boto3
from flask import Flask

app = Flask(__name__)
session_of = boto3.session.Session


@app.get("/")
def home() -> dict[str, str]:
    """Answer without asking anybody."""
    return {"shop": "open"}
