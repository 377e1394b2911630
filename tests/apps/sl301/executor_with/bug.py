"""A pool of the request's own that nobody waits for."""

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
    pool = ThreadPoolExecutor()
    pool.map(resize, range(2))  # BUG: SL301
    pool.shutdown(wait=False)
    return HttpResponse("resized")


urlpatterns = [path("", index)]
app = get_wsgi_application()
