"""A smaller download in pieces."""

from fastapi import FastAPI
from fastapi.responses import StreamingResponse

app = FastAPI()


@app.get("/download")
def download():
    return StreamingResponse(b"x" * 100_000 for _ in range(30))
