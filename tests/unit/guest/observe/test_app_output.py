from __future__ import annotations

import logging
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pytest_stateless
from pytest_stateless.guest.observe.output import LogForwarder, WarningForwarder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_stateless.model.exchange import LogRecord

Warned = tuple[str, tuple[str, ...], str, int]


class CustomWarning(DeprecationWarning):
    pass


@pytest.fixture
def records() -> list[LogRecord]:
    return []


@pytest.fixture
def forwarder(records: list[LogRecord]) -> Iterator[LogForwarder]:
    forwarder = LogForwarder(records.append)
    forwarder.install()
    yield forwarder
    forwarder.remove()


@pytest.fixture
def warned() -> Iterator[list[Warned]]:
    seen: list[Warned] = []
    with warnings.catch_warnings():
        forwarder = WarningForwarder(lambda *values: seen.append(values))
        forwarder.install()
        yield seen
        forwarder.remove()


@pytest.mark.usefixtures("forwarder")
def test_a_record_arrives_with_place_and_plain_extras(records: list[LogRecord]) -> None:
    extra = {"order": 7, "cart": object()}

    logging.getLogger("shop.cart").error("sold %d", 3, extra=extra)

    (record,) = records
    assert (record.name, record.level, record.message) == ("shop.cart", logging.ERROR, "sold 3")
    assert record.path == __file__
    assert record.function == "test_a_record_arrives_with_place_and_plain_extras"
    assert record.extra == {"order": 7}


def test_a_record_that_cannot_be_formatted_says_so(records: list[LogRecord]) -> None:
    record = logging.makeLogRecord({"msg": "sold %d", "args": ("many",)})

    LogForwarder(records.append).handle(record)

    assert records[0].message.startswith("'sold %d' % ('many',) (TypeError: ")


def test_the_last_exception_logged_as_an_error_can_be_taken_once(
    forwarder: LogForwarder, records: list[LogRecord]
) -> None:
    failure = ValueError("no sku")
    logger = logging.getLogger("shop")
    try:
        raise failure
    except ValueError:
        logger.exception("failed")
    logger.warning("ignored", exc_info=KeyError("other"))

    assert forwarder.take_exception() is failure
    assert forwarder.take_exception() is None
    assert records[0].exception.endswith("ValueError: no sku")


def test_levels_are_only_lowered(forwarder: LogForwarder, records: list[LogRecord]) -> None:
    quiet, talkative = logging.getLogger("level.quiet"), logging.getLogger("level.talkative")
    quiet.setLevel(logging.ERROR)
    talkative.setLevel(logging.DEBUG)

    forwarder.apply_levels({"level.quiet": logging.INFO, "level.talkative": logging.INFO})
    quiet.info("one")
    talkative.debug("two")

    assert [record.message for record in records] == ["one", "two"]


def test_installing_again_after_the_app_configured_logging_listens_once() -> None:
    program = """
        import logging.config
        from pytest_stateless.guest.observe.output import LogForwarder
        seen = []
        forwarder = LogForwarder(seen.append)
        forwarder.install()
        logging.config.dictConfig({"version": 1, "root": {"level": "INFO", "handlers": []}})
        forwarder.install()
        forwarder.install()
        logging.info("hello")
        assert [record.message for record in seen] == ["hello"], seen
    """
    root = Path(pytest_stateless.__file__).parents[1]

    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=False, cwd=root)

    assert done.returncode == 0


def test_a_warning_arrives_once_with_its_family_and_place(warned: list[Warned]) -> None:
    for _ in range(3):
        warnings.warn("old", CustomWarning, stacklevel=1)

    (one,) = warned
    text, family, path, line = one
    assert (text, path) == ("old", __file__)
    assert family == (
        f"{__name__}.CustomWarning",
        "builtins.DeprecationWarning",
        "builtins.Warning",
    )
    assert line > 0


def test_an_apps_own_recording_and_ignoring_goes_first(warned: list[Warned]) -> None:
    with warnings.catch_warnings(record=True) as recorded:
        warnings.warn("mine", UserWarning, stacklevel=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.warn("silent", UserWarning, stacklevel=1)
    warnings.warn("loud", UserWarning, stacklevel=1)

    assert [str(one.message) for one in recorded] == ["mine"]
    assert [one[0] for one in warned] == ["loud"]
