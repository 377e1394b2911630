"""Mail that is taken off a list which came with the app: other instances have it still."""

import os

from fastapi import FastAPI

app = FastAPI()


@app.delete("/mail")
def delete_mail():
    os.remove("inbox/mail.txt")  # BUG: SL101 warning
    return "deleted"
