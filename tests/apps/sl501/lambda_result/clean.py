"""A Lambda handler whose result is a page."""


def handler(event, context):
    return {"rows": ["x" * 1000] * 100}
