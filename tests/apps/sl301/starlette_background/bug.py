"""A background task of a Starlette response."""

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import PlainTextResponse
from starlette.routing import Route


async def send_mail():
    print("mail")


async def order(request):
    task = BackgroundTask(send_mail)  # BUG: SL301
    return PlainTextResponse("ordered", background=task)


app = Starlette(routes=[Route("/orders", order, methods=["POST"])])
