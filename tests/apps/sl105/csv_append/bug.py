"""A Django view that appends to a csv file."""

import csv

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="k")


def sign_up(request, name):
    with open("signups.csv", "a", newline="") as file:  # BUG: SL105
        csv.writer(file).writerow([name])
    return HttpResponse("welcome")


urlpatterns = [path("signup/<name>", sign_up)]
app = get_wsgi_application()
