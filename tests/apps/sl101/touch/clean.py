"""A Lambda handler that says when it ran."""

from pathlib import Path


def handler(event, context):
    print(Path("last_run").exists())
    return {"ok": True}
