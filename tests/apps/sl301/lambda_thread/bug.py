"""A thread that outlives a Lambda handler's return."""

import threading
import time


def handler(event, context):
    thread = threading.Thread(target=time.sleep, args=(0.5,))
    thread.start()  # BUG: SL301
    return {"statusCode": 200, "body": "hello"}
