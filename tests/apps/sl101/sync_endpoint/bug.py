"""A write in a sync endpoint, which FastAPI runs in a thread."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def index():
    with open("report.txt", "w") as file:  # BUG: SL101
        file.write("done")
    return "hello"
