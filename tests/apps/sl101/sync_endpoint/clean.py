"""A write below /tmp in a sync endpoint, which FastAPI runs in a thread."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def index():
    with open("/tmp/report.txt", "w") as file:
        file.write("done")
    return "hello"
