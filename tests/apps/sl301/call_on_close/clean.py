"""The same work before the response."""

from flask import Flask, make_response

app = Flask(__name__)


def send_mail():
    print("mail")


@app.post("/orders")
def order():
    response = make_response("ordered")
    send_mail()
    return response
