"""Mail that is read and left where it is."""

from fastapi import FastAPI

app = FastAPI()


@app.delete("/mail")
def delete_mail():
    with open("inbox/mail.txt") as file:
        return file.read()
