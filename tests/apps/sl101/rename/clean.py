"""A Django view that looks at a file."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="k")


def finish(request):
    os.stat("inbox/mail.txt")
    return HttpResponse("done")


urlpatterns = [path("", finish)]
app = get_wsgi_application()
