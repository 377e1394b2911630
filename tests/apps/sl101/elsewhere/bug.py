"""A folder and a file in a working directory outside of the project."""

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    with open("./out/report.txt", "w") as file:  # BUG: SL101
        file.write("done")
    return "hello"
