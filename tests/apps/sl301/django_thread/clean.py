"""A thread of a Django view that is joined."""

import threading
import time

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="k")


class Mailer(threading.Thread):
    def run(self):
        time.sleep(0.05)


def index(request):
    mailer = Mailer()
    mailer.start()
    mailer.join()
    return HttpResponse("ordered")


urlpatterns = [path("", index)]
app = get_wsgi_application()
