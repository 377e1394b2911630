"""A WSGI iterable whose close() closes its file."""


class Body:
    def __init__(self):
        self.file = open(__file__, "rb")

    def __iter__(self):
        yield self.file.readline()

    def close(self):
        self.file.close()


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return Body()
