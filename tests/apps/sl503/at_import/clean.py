"""A model that is loaded with the app."""

MODEL = bytearray(b"x") * 6_000_000


def handler(event, context):
    return len(MODEL)
