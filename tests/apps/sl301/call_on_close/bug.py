"""Flask's way to work after the response."""

from flask import Flask, make_response

app = Flask(__name__)


def send_mail():  # BUG: SL301
    print("mail")


@app.post("/orders")
def order():
    response = make_response("ordered")
    response.call_on_close(send_mail)
    return response
