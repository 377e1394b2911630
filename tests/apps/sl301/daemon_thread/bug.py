"""A daemon thread that a sync FastAPI endpoint starts."""

import threading
import time

from fastapi import FastAPI

app = FastAPI()


def send_mail(to):
    while to:
        time.sleep(0.01)


@app.post("/orders")
def order():
    threading.Thread(target=send_mail, args=("ann",), daemon=True).start()  # BUG: SL301
    return "ordered"
