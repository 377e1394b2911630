"""Django with settings, middleware, templates and a streaming response."""

import logging

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}},
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.messages",
        "django.contrib.sessions",
        "django.contrib.staticfiles",
    ],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    ROOT_URLCONF=__name__,
    SECRET_KEY="k",
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    STATIC_URL="/static/",
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
)


def index(request):
    from django.template import engines

    request.session["visits"] = 1
    logging.getLogger("django").warning("asked")
    return HttpResponse(engines["django"].from_string("Hello {{ name }}").render({"name": "ann"}))


def stream(request):
    return StreamingHttpResponse(f"{number}\n" for number in range(3))


def file(request):
    return FileResponse(open(__file__, "rb"))


def count(request):
    from django.contrib.contenttypes.models import ContentType

    return HttpResponse(str(ContentType.objects.count()))


urlpatterns = [
    path("", index),
    path("stream", stream),
    path("file", file),
    path("count", count),
]
app = get_wsgi_application()
