"""A queue in memory within one request."""

import queue

from fastapi import FastAPI

app = FastAPI()


@app.post("/jobs")
async def add_job():
    jobs = queue.Queue()
    jobs.put("mail")
    print(jobs.get())
    return "accepted"
