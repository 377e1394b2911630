"""A library that falls back in a request."""

from fastapi import FastAPI

import plotting_fonts

app = FastAPI()


@app.get("/")
def index():
    return plotting_fonts.find("serif")  # BUG: SL101 warning
