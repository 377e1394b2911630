"""Django with the database that `startproject` sets up, only read."""

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    ROOT_URLCONF=__name__,
    SECRET_KEY="k",
)
app = get_wsgi_application()

from django.db import models  # noqa: E402 (after the settings)


class Note(models.Model):
    text = models.TextField()

    class Meta:
        app_label = "notes"


def add_note(request, text):
    Note.objects.filter(text=text).first()
    return HttpResponse(str(Note.objects.count()))


urlpatterns = [path("notes/<text>", add_note)]
