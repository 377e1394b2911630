"""A Lambda handler that does not stop to think."""


def handler(event, context):
    number = 1
    while number: number += 1  # BUG: SL502
    return number
