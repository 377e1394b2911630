"""A write below /tmp in an async endpoint."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def index():
    with open("/tmp/report.txt", "w") as file:
        file.write("done")
    return "hello"
