"""Django's sessions in signed cookies."""

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}},
    INSTALLED_APPS=["django.contrib.sessions"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="k",
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
)


def visit(request):
    request.session["visits"] = 1
    return HttpResponse("hello")


urlpatterns = [path("", visit)]
app = get_wsgi_application()
