"""A download in pieces, which a buffering gateway has to hold at once."""

from fastapi import FastAPI
from fastapi.responses import StreamingResponse

app = FastAPI()  # BUG: SL501


@app.get("/download")
def download():
    return StreamingResponse(b"x" * 100_000 for _ in range(70))
