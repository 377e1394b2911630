"""A job that a service calls when it is time."""

from apscheduler.schedulers.background import BackgroundScheduler
from flask import Flask

app = Flask(__name__)
scheduler = BackgroundScheduler()


@scheduler.scheduled_job("interval", seconds=60)
def clean_up():
    print("clean")


@app.get("/")
def index():
    clean_up()
    return "hello"
