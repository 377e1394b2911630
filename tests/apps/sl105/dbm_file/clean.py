"""A bare WSGI app with dbm in a folder that stands for a service."""

import dbm


def app(environ, start_response):
    with dbm.open("service/hits.dbm", "c") as hits:
        hits["/"] = str(int(hits.get("/", b"0")) + 1)
        body = hits["/"]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]
