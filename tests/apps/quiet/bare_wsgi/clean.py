"""A bare WSGI app with a file and a generator."""

import wsgiref.util


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/file":
        return wsgiref.util.FileWrapper(open(__file__, "rb"))
    return rows()


def rows():
    with open(__file__) as file:
        yield from (line.encode() for line in file)
