"""A bare WSGI app that copies its template into /tmp."""

import shutil


def app(environ, start_response):
    shutil.copy("template.txt", "/tmp/letter.txt")
    start_response("200 OK", [])
    return [b"copied"]
