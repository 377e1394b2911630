"""One BaseHTTPMiddleware over one plain route, and nothing else."""

import logging

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route


class Log(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        response = await call_next(request)
        logging.info("answered")
        return response


async def index(request):
    return PlainTextResponse("hello")


app = Starlette(routes=[Route("/", index)], middleware=[Middleware(Log)])
