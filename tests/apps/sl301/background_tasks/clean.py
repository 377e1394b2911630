"""What could be a background task, done before the answer."""

from fastapi import BackgroundTasks, FastAPI

app = FastAPI()


def send_mail(to):
    print("mail to", to)


@app.post("/orders")
def order(background: BackgroundTasks):
    send_mail("ann")
    return "ordered"
