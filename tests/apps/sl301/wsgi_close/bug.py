"""A WSGI iterable whose close() does the work."""


def send_mail():  # BUG: SL301
    print("mail")


class Body:
    def __iter__(self):
        yield b"ordered"

    def close(self):
        send_mail()


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return Body()
