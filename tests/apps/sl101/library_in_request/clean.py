"""A library that is told where to keep things."""

from fastapi import FastAPI

import plotting_fonts

app = FastAPI()


@app.get("/")
def index():
    return plotting_fonts.find("serif", cache="/tmp/fonts")
