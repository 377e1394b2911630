"""A copy of a deployed file that does not fit into /tmp."""

import shutil


def handler(event, context):
    shutil.copyfile("model.bin", "/tmp/model.bin")  # BUG: SL103
    return "copied"
