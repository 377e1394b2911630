"""A queue in memory, and a worker that starts with the app."""

import queue
import threading

from fastapi import FastAPI

app = FastAPI()
jobs = queue.Queue()


def work():
    while True:
        print(jobs.get())


threading.Thread(target=work, daemon=True).start()  # BUG: SL301


@app.post("/jobs")
async def add_job():
    jobs.put("mail")
    return "accepted"
