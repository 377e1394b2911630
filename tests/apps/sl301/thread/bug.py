"""A mail that a thread sends while the answer is on its way."""

import threading
import time

from flask import Flask

app = Flask(__name__)


def send_mail():
    time.sleep(0.2)


@app.post("/orders")
def order():
    thread = threading.Thread(target=send_mail, name="mailer")
    thread.start()  # BUG: SL301
    return "ordered"
