"""FastAPI on Lambda by Mangum, which returns only when the background tasks are done."""

from fastapi import BackgroundTasks, FastAPI
from mangum import Mangum

api = FastAPI()


def send_mail(to):
    print("mail to", to)


@api.get("/orders")
def order(background: BackgroundTasks):
    background.add_task(send_mail, "ann")
    return "ordered"


@api.get("/sync")
def sync():
    return "hello"


app = Mangum(api, lifespan="off")
