"""What passes between the test process and an instance: a request in, and what it says out.

What it wrote, logged and warned about is passed on so that pytest captures it as if the app had
run here: output in `capsys` and the captured sections, records in `caplog`, warnings in the
warnings summary or as errors.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import sys
import warnings
from typing import TYPE_CHECKING

from pytest_stateless.wire.messages import RequestBody, Serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_stateless.instance.handle import Output
    from pytest_stateless.model.exchange import LogRecord
    from pytest_stateless.wire.messages import Call, Invoke, Warned


def relay_output(output: Output) -> None:
    """Write what has arrived to this process's streams, and forget it."""
    for stream, data in ((sys.stdout, output.stdout), (sys.stderr, output.stderr)):
        if data and stream is not None:
            text = data.decode(errors="replace")
            encoding = getattr(stream, "encoding", None) or "utf-8"
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        data.clear()


def relay_log(record: LogRecord) -> None:
    """Hand a log record to the handlers of the root logger, which is where pytest's are.

    Not to the named logger: if the suite has imported the app too, that logger has the app's own
    handlers, and the instance has already used its copies of them.
    """
    copy = logging.makeLogRecord({
        **record.extra,
        "name": record.name,
        "levelno": record.level,
        "levelname": logging.getLevelName(record.level),
        "msg": record.message,
        "args": (),
        "pathname": record.path,
        "filename": record.path.rpartition("/")[2],
        "module": record.path.rpartition("/")[2].removesuffix(".py"),
        "lineno": record.line,
        "funcName": record.function,
        "created": record.created,
        "msecs": record.created % 1 * 1000,
        "exc_text": record.exception or None,
    })
    for handler in logging.root.handlers:
        if record.level >= handler.level:
            handler.handle(copy)


def relay_warning(warned: Warned) -> None:
    """Issue a warning again, under the filters of this process.

    Args:
        warned: What the instance was warned of.

    Raises:
        Warning: The filters turn it into an error.
    """
    warnings.warn_explicit(_remake(warned), UserWarning, warned.path, warned.line, registry={})


def _remake(warned: Warned) -> Warning:
    """Make the warning again, or one of the nearest base that this process can make."""
    for name in warned.category:
        found = _find(name)
        if found is None:
            continue
        # not all classes are made from their text alone; `__new__` takes anything
        for make in (found, functools.partial(found.__new__, found)):
            with contextlib.suppress(Exception):
                warning = make(warned.text)
                if str(warning) == warned.text:
                    return warning
    return UserWarning(warned.text)


def _find(name: str) -> type[Warning] | None:
    """Find an imported class by `module.qualname`, whose parts may have dots of their own."""
    parts = name.split(".")
    for count in range(len(parts) - 1, 0, -1):
        found: object = sys.modules.get(".".join(parts[:count]))
        for part in parts[count:]:
            found = getattr(found, part, None)
        if isinstance(found, type) and issubclass(found, Warning):
            return found
    return None


def messages_of(
    request: Serve | Invoke | Call, chunks: tuple[bytes, ...]
) -> Iterator[Serve | Invoke | Call | RequestBody]:
    """Turn a request into what an instance is sent.

    Args:
        request: The request.
        chunks: The body of an HTTP request, in pieces.

    Yields:
        The messages, in order.
    """
    yield request
    if isinstance(request, Serve):
        for number, chunk in enumerate(chunks, 1):
            yield RequestBody(blob=chunk, is_last=number == len(chunks))
        if not chunks:
            yield RequestBody(blob=b"", is_last=True)
