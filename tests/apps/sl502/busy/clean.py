"""A Lambda handler that stops."""


def handler(event, context):
    number = 1
    while number < 1000:
        number += 1
    return number
