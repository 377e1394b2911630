"""A deployed file that is read where it is."""

import os


def handler(event, context):
    os.stat("model.bin")
    return "copied"
