"""Flask, and files on a disk of its own that nobody will miss."""

import contextlib
import multiprocessing
import os
import pathlib
import shutil
import sqlite3
import tempfile

import plotting
from flask import Flask, request

os.makedirs("instance/uploads", exist_ok=True)
pathlib.Path("instance/version.txt").write_text("1")
shutil.copy("notes.json", "instance/notes.json")
app = Flask(__name__, instance_path=os.path.abspath("instance"))
lock = multiprocessing.Lock()


@app.get("/scratch")
def scratch():
    with tempfile.NamedTemporaryFile("w", dir=".") as file:
        file.write("x")
    with tempfile.TemporaryDirectory(dir="instance") as folder:
        pathlib.Path(folder, "a").write_text("x")
        pathlib.Path(folder, "a").rename(pathlib.Path(folder, "b"))
    with tempfile.TemporaryFile(dir=".") as file:
        file.write(b"x")
    return "scratch"


@app.post("/convert")
def convert():
    request.files["picture"].save("instance/uploads/in.png")
    shutil.copy("instance/uploads/in.png", "instance/uploads/out.png")
    size = os.path.getsize("instance/uploads/out.png")
    shutil.rmtree("instance/uploads")
    return str(size)


@app.get("/around")
def around():
    os.chmod("tool.sh", 0o755)
    os.makedirs("folder/deep", exist_ok=True)
    os.symlink("notes.json", "link")
    os.utime("tool.sh")
    with open(__file__, "r+") as file:
        file.read()
    with contextlib.suppress(OSError), open("folder", "w") as file:
        file.write("x")
    with contextlib.suppress(OSError), open("missing/x.json", "w") as file:
        file.write("x")
    return "around"


@app.get("/library")
def library():
    with lock, sqlite3.connect(":memory:") as connection:
        connection.execute("CREATE TABLE items (name TEXT)")
    return plotting.__name__
