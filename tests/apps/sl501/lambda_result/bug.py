"""A Lambda handler whose result is too large."""


def handler(event, context):  # BUG: SL501
    return {"rows": ["x" * 1000] * 7000}
