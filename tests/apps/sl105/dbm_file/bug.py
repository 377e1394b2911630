"""A bare WSGI app over dbm."""

import dbm


def app(environ, start_response):
    with dbm.open("hits.dbm", "c") as hits:  # BUG: SL105
        hits["/"] = str(int(hits.get("/", b"0")) + 1)
        body = hits["/"]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]
