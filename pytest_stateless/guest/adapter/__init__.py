"""Speaking the calling conventions: WSGI, ASGI, Lambda, plain functions."""
