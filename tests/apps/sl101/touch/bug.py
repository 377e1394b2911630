"""A Lambda handler that remembers when it ran."""

from pathlib import Path


def handler(event, context):
    Path("last_run").touch()  # BUG: SL101
    return {"ok": True}
