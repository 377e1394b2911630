"""A model that is loaded with the app, and is too large."""

MODEL = bytearray(b"x") * 600_000_000  # BUG: SL503


def handler(event, context):
    return len(MODEL)
