"""What the app says beside its answer: log records and warnings, forwarded as values."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, TextIO

from pytest_stateless.model.exchange import LogRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_WARNINGS = 1000
_STANDARD = frozenset({
    *vars(logging.makeLogRecord({})), "message", "asctime", "taskName",
})  # fmt: skip
_Category = tuple[str, ...]


class LogForwarder(logging.Handler):
    """A handler on the root logger that turns records into values.

    Args:
        emit: Takes each of them.
    """

    def __init__(self, emit: Callable[[LogRecord], None]) -> None:
        super().__init__(level=logging.NOTSET)
        self._emit = emit
        self._exception: BaseException | None = None

    def install(self) -> None:
        """Listen at the root logger; to be repeated when the app has configured logging."""
        root = logging.getLogger()
        if self not in root.handlers:
            root.addHandler(self)

    def remove(self) -> None:
        """Listen no more."""
        logging.getLogger().removeHandler(self)

    def apply_levels(self, levels: Mapping[str, int]) -> None:
        """Make loggers as talkative as the test has made its own.

        Args:
            levels: Logger names (empty: root) and numeric levels; a logger that tells more
                already is left alone.
        """
        for name, level in levels.items():
            logger = logging.getLogger(name or None)
            if level and level < logger.getEffectiveLevel():
                logger.setLevel(level)

    def take_exception(self) -> BaseException | None:
        """Return the exception that was last logged at ERROR or above, and forget it."""
        error, self._exception = self._exception, None
        return error

    def emit(self, record: logging.LogRecord) -> None:
        """Forward one record; whatever is wrong with it is told in its text."""
        exc_info = record.exc_info
        if exc_info and exc_info[1] is not None and record.levelno >= logging.ERROR:
            self._exception = exc_info[1]
        try:
            value = _value_of(record)
        except Exception:  # noqa: BLE001 (a __str__ of the app's may do anything)
            self.handleError(record)
            return
        self._emit(value)


def _value_of(record: logging.LogRecord) -> LogRecord:
    return LogRecord(
        name=record.name,
        level=record.levelno,
        message=_message_of(record),
        path=record.pathname,
        line=record.lineno,
        function=record.funcName or "",
        exception=_exception_of(record),
        created=record.created,
        extra={
            name: value
            for name, value in vars(record).items()
            if name not in _STANDARD and isinstance(value, (str, int, float, bool, type(None)))
        },
    )


def _message_of(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001 (a __str__ of the app's may do anything)
        return f"{record.msg!r} % {record.args!r} ({type(error).__name__}: {error})"


def _exception_of(record: logging.LogRecord) -> str:
    if record.exc_text:
        return record.exc_text
    if not record.exc_info or record.exc_info[0] is None:
        return ""
    return logging.Formatter().formatException(record.exc_info)


class WarningForwarder:
    """Forwards the warnings that would be shown; an app's own `catch_warnings` goes first.

    Args:
        emit: Takes the text, the names of the category and its bases as `module.qualname`,
            nearest first, the path and the line number, once for each different warning.
    """

    def __init__(self, emit: Callable[[str, _Category, str, int], None]) -> None:
        self._emit = emit
        self._seen: set[tuple[str, _Category, str, int]] = set()
        self._original = warnings.showwarning

    def install(self) -> None:
        """Let every warning through, and take what is shown."""
        if warnings.showwarning != self._show:
            self._original = warnings.showwarning
            warnings.showwarning = self._show
        warnings.simplefilter("always")

    def remove(self) -> None:
        """Give showing back; the filter is left, since an app may have put others before it."""
        if warnings.showwarning == self._show:
            warnings.showwarning = self._original

    def _show(  # noqa: PLR0913, PLR0917 (the signature of `warnings.showwarning`)
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if file is not None:
            self._original(message, category, filename, lineno, file, line)
            return
        names = tuple(
            f"{base.__module__}.{base.__qualname__}"
            for base in category.__mro__
            if issubclass(base, Warning)
        )
        key = (str(message), names, filename, lineno)
        if key not in self._seen and len(self._seen) < MAX_WARNINGS:
            self._seen.add(key)
            self._emit(*key)
