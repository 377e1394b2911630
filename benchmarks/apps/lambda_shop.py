"""A Lambda handler that has boto3 at hand."""

from __future__ import annotations

import boto3

session_of = boto3.session.Session


def handler(_event: dict[str, object], _context: object) -> dict[str, object]:
    """Answer without asking anybody."""
    return {"statusCode": 200, "body": "open"}
