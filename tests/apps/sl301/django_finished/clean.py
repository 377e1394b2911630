"""A Django signal that comes before the response."""

from django.conf import settings
from django.core.signals import request_started
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="k")


def send_mail(sender, **more):
    print("mail")


def index(request):
    return HttpResponse("ordered")


request_started.connect(send_mail)
urlpatterns = [path("", index)]
app = get_wsgi_application()
