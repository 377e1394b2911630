"""A download that does not fit into /tmp, and nobody minds."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def index():
    try:
        with open("/tmp/download.zip", "wb") as file:
            file.write(b"x" * 2_000_000)  # BUG: SL103
    except OSError:
        pass
    return "loaded"
