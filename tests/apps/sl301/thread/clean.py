"""A mail that a thread sends before the answer."""

import threading
import time

from flask import Flask

app = Flask(__name__)


def send_mail():
    time.sleep(0.2)


@app.post("/orders")
def order():
    thread = threading.Thread(target=send_mail, name="mailer")
    thread.start()
    thread.join()
    return "ordered"
