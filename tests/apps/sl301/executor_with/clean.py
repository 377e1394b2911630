"""A pool of the request's own, as a context."""

import time
from concurrent.futures import ThreadPoolExecutor

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="k")


def resize(number):
    time.sleep(0.1)


def index(request):
    with ThreadPoolExecutor() as pool:
        pool.map(resize, range(2))
    return HttpResponse("resized")


urlpatterns = [path("", index)]
app = get_wsgi_application()
