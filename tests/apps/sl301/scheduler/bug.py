"""A scheduler that starts with the app."""

from apscheduler.schedulers.background import BackgroundScheduler
from flask import Flask

app = Flask(__name__)
scheduler = BackgroundScheduler()


@scheduler.scheduled_job("interval", seconds=60)
def clean_up():
    print("clean")


scheduler.start()  # BUG: SL301


@app.get("/")
def index():
    return "hello"
