"""A thread that a Lambda handler joins."""

import threading
import time


def handler(event, context):
    thread = threading.Thread(target=time.sleep, args=(0.05,))
    thread.start()
    thread.join()
    return {"statusCode": 200, "body": "hello"}
