"""A daemon thread that ends in time."""

import threading
import time

from fastapi import FastAPI

app = FastAPI()


def send_mail(to):
    time.sleep(0.01)


@app.post("/orders")
def order():
    thread = threading.Thread(target=send_mail, args=("ann",), daemon=True)
    thread.start()
    thread.join()
    return "ordered"
