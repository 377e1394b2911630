"""A download that fits into /tmp."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def index():
    try:
        with open("/tmp/download.zip", "wb") as file:
            file.write(b"x" * 200_000)
    except OSError:
        pass
    return "loaded"
