"""A bare WSGI app that copies its template."""

import shutil


def app(environ, start_response):
    shutil.copy("template.txt", "letter.txt")  # BUG: SL101
    start_response("200 OK", [])
    return [b"copied"]
