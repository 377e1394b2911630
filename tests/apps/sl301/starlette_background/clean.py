"""A Starlette response without a background task."""

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import PlainTextResponse
from starlette.routing import Route


async def send_mail():
    print("mail")


async def order(request):
    await BackgroundTask(send_mail)()
    return PlainTextResponse("ordered")


app = Starlette(routes=[Route("/orders", order, methods=["POST"])])
