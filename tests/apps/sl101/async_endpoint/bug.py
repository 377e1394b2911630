"""A write in an async endpoint."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def index():
    with open("report.txt", "w") as file:  # BUG: SL101
        file.write("done")
    return "hello"
