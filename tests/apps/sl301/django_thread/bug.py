"""A thread of a Django view, with a closure."""

import threading
import time

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="k")


class Mailer(threading.Thread):
    def run(self):
        time.sleep(0.3)


def index(request):
    Mailer().start()  # BUG: SL301
    return HttpResponse("ordered")


urlpatterns = [path("", index)]
app = get_wsgi_application()
