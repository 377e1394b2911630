"""A Django upload into MEDIA_ROOT."""

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    MEDIA_ROOT="media",
    ROOT_URLCONF=__name__,
    SECRET_KEY="k",
)


def upload(request):
    name = default_storage.save("avatar.png", ContentFile(request.body))  # BUG: SL101
    return HttpResponse(name)


urlpatterns = [path("upload", upload)]
app = get_wsgi_application()
