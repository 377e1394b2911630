"""A Django view that moves a file from one folder to another."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="k")


def finish(request):
    os.rename("inbox/mail.txt", "inbox/done.txt")  # BUG: SL101
    return HttpResponse("done")


urlpatterns = [path("", finish)]
app = get_wsgi_application()
