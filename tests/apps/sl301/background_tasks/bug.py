"""FastAPI's background tasks."""

from fastapi import BackgroundTasks, FastAPI

app = FastAPI()


def send_mail(to):
    print("mail to", to)


@app.post("/orders")
def order(background: BackgroundTasks):
    background.add_task(send_mail, "ann")  # BUG: SL301
    return "ordered"
