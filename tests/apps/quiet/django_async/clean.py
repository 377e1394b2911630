"""Django over ASGI, with sync and async views."""

import asyncio

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="k")


def sync(request):
    return HttpResponse("sync")


async def asynchronous(request):
    await asyncio.sleep(0)
    return HttpResponse("async")


async def stream(request):
    async def rows():
        for number in range(3):
            yield f"{number}\n"

    return StreamingHttpResponse(rows())


urlpatterns = [path("sync", sync), path("async", asynchronous), path("stream", stream)]
app = get_asgi_application()
