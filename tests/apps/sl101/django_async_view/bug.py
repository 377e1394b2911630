"""A write that an async Django view hands to a thread."""

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpResponse
from django.urls import path

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="k")


def write():
    with open("report.txt", "w") as file:  # BUG: SL101
        file.write("done")


async def index(request):
    await sync_to_async(write)()
    return HttpResponse("hello")


urlpatterns = [path("", index)]
app = get_asgi_application()
