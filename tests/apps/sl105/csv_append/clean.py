"""A Django view that writes a csv file into its response."""

import csv

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="k")


def sign_up(request, name):
    response = HttpResponse(content_type="text/csv")
    csv.writer(response).writerow([name])
    return response


urlpatterns = [path("signup/<name>", sign_up)]
app = get_wsgi_application()
