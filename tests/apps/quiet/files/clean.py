"""Flask, and file operations that change nothing."""

import contextlib
import importlib.resources
import logging
import mimetypes
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings
import zoneinfo

from flask import Flask

logging.basicConfig(stream=sys.stdout, level=logging.INFO)
app = Flask(__name__)


@app.get("/read")
def read():
    with open("notes.json") as one, open("notes.json", "rb") as two, open("notes.json", "r"):
        one.read(), two.read()
    with contextlib.suppress(OSError), open("no_such_file.json") as file:
        file.read()
    with contextlib.suppress(OSError), open("no_such_folder/x.json", "w") as file:
        file.read()
    with contextlib.suppress(FileExistsError), open("notes.json", "x") as file:
        file.read()
    return str(os.listdir("."))


@app.get("/folders")
def folders():
    os.makedirs("folder", exist_ok=True)
    pathlib.Path("folder").mkdir(exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.mkdir("folder")
    os.access("folder", os.W_OK)
    return "folders"


@app.get("/temporary")
def temporary():
    with tempfile.TemporaryFile() as file:
        file.write(b"x")
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"x")
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "a")
        path.write_text("x")
        path.chmod(0o600)
        path.rename(pathlib.Path(folder, "b"))
    with tempfile.SpooledTemporaryFile(max_size=1) as file:
        file.write(b"xx")
    return "temporary"


@app.get("/devices")
def devices():
    with open("/dev/null", "w") as file:
        file.write("x")
    with open(os.devnull, "ab") as file:
        file.write(b"x")
    with open("/dev/urandom", "rb") as file:
        file.read(1)
    subprocess.run(["true"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(os.open("/dev/null", os.O_RDWR))
    return "devices"


@app.get("/library")
def library():
    logging.info("to stdout")
    print("to stdout")
    print("to stderr", file=sys.stderr)
    warnings.warn("old", DeprecationWarning, stacklevel=1)
    importlib.resources.files(__package__).joinpath("clean.py").read_text()
    zoneinfo.ZoneInfo("UTC")
    mimetypes.guess_type("a.png")
    import email.mime.image  # noqa: F401 (a module that was not loaded yet)
    import xml.dom.minidom  # noqa: F401

    return "library"


@app.get("/processes")
def processes():
    subprocess.run(["sh", "-c", "exit 0"], check=True)
    subprocess.check_output(["echo", "x"])
    os.system("true")
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        process.stdin.close()
    return "processes"
