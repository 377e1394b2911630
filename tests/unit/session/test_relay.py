from __future__ import annotations

import io
import logging
import sys
import types
import warnings
from typing import TYPE_CHECKING

import pytest

from pytest_stateless.guest.observe.output import LogForwarder, WarningForwarder
from pytest_stateless.instance.handle import Output
from pytest_stateless.model.exchange import LogRecord
from pytest_stateless.session.relay import relay_log, relay_output, relay_warning
from pytest_stateless.wire.messages import Warned

if TYPE_CHECKING:
    from collections.abc import Iterator


class ShopWarning(UserWarning):
    pass


class CodedWarning(DeprecationWarning):
    """Is made of more than its text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"[{code}] {text}")
        self.code = code


class ShownWarning(RuntimeWarning):
    """Shows itself by what it was made of."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code

    def __str__(self) -> str:
        return f"[{self.code}] {self.args[0]}"


class Holder:
    class NestedWarning(FutureWarning):
        pass


# output


def output(stdout: bytes = b"", stderr: bytes = b"") -> Output:
    return Output(stdout=bytearray(stdout), stderr=bytearray(stderr))


def test_output_is_written_to_the_stream_of_its_own_name_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arrived = output("Größe\n".encode(), b"oops")
    relay_output(arrived)
    relay_output(arrived)
    assert capsys.readouterr() == ("Größe\n", "oops")


def test_bytes_that_are_no_text_do_not_stop_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    relay_output(output(b"\xff\xfe png \x00 and more"))
    assert capsys.readouterr().out == "\ufffd\ufffd png \x00 and more"


def test_a_stream_of_a_narrow_encoding_takes_what_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", narrow)
    relay_output(output("30 €".encode()))
    narrow.seek(0)
    assert narrow.read() == "30 \\u20ac"


def test_output_without_a_stream_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    arrived = output(b"nobody listens")
    relay_output(arrived)
    assert not arrived.stdout


# log records


class Collector(logging.Handler):
    def __init__(self, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def at_root() -> Iterator[Collector]:
    collector = Collector()
    logging.root.addHandler(collector)
    yield collector
    logging.root.removeHandler(collector)


def record(level: int = logging.WARNING) -> LogRecord:
    return LogRecord(
        name="shop.cart",
        level=level,
        message="100% of %s sold",
        path="/srv/shop/cart.py",
        line=12,
        function="add",
        exception="Traceback ...\nKeyError: 'tea'",
        created=1_700_000_000.25,
        extra={"sku": "tea", "price": 3.5},
    )


def test_a_record_looks_as_it_did_in_the_instance(at_root: Collector) -> None:
    relay_log(record())
    (copy,) = at_root.records
    assert copy.getMessage() == "100% of %s sold"
    assert (copy.name, copy.levelname, copy.lineno) == ("shop.cart", "WARNING", 12)
    assert (copy.pathname, copy.filename, copy.module) == ("/srv/shop/cart.py", "cart.py", "cart")
    assert (copy.funcName, copy.created, copy.msecs) == ("add", 1_700_000_000.25, 250.0)
    assert vars(copy)["sku"] == "tea"
    assert vars(copy)["price"] == 3.5
    shown = logging.Formatter("%(levelname)s %(message)s %(sku)s").format(copy)
    assert shown == "WARNING 100% of %s sold tea\nTraceback ...\nKeyError: 'tea'"


def test_a_record_reaches_caplog(caplog: pytest.LogCaptureFixture) -> None:
    relay_log(record())
    assert caplog.record_tuples == [("shop.cart", logging.WARNING, "100% of %s sold")]


def test_a_handler_gets_only_records_of_its_level(at_root: Collector) -> None:
    at_root.setLevel(logging.ERROR)
    relay_log(record(logging.WARNING))
    relay_log(record(logging.ERROR))
    assert [copy.levelno for copy in at_root.records] == [logging.ERROR]


def test_a_handler_s_own_filter_is_asked(at_root: Collector) -> None:
    at_root.addFilter(lambda copy: copy.name != "shop.cart")
    relay_log(record())
    assert at_root.records == []


def test_the_handlers_of_the_named_logger_are_left_alone() -> None:
    own = Collector()
    logger = logging.getLogger("shop.cart")
    logger.addHandler(own)
    try:
        relay_log(record())
    finally:
        logger.removeHandler(own)
    assert own.records == []


def test_a_record_s_own_fields_beat_extra_ones_of_the_same_name(at_root: Collector) -> None:
    forged = LogRecord(
        name="n", level=10, message="m", path="p", line=1, function="f", extra={"msg": "%s %s"}
    )
    relay_log(forged)
    assert at_root.records[0].getMessage() == "m"


def test_what_an_instance_forwards_comes_out_equal(at_root: Collector) -> None:
    forwarder = LogForwarder(relay_log)
    logger = logging.getLogger("shop.forwarded")
    logger.propagate = False
    logger.addHandler(forwarder)
    try:
        logger.error("no %s", "tea", extra={"sku": 7})
    finally:
        logger.removeHandler(forwarder)
        logger.propagate = True
    (copy,) = at_root.records
    assert (copy.getMessage(), copy.levelname, vars(copy)["sku"]) == ("no tea", "ERROR", 7)
    assert copy.pathname == __file__
    assert copy.module == "test_relay"


# warnings


def warned(*category: str, text: str = "old") -> Warned:
    return Warned(text=text, category=category, path="/srv/shop/app.py", line=3)


def reissued(message: Warned) -> warnings.WarningMessage:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        relay_warning(message)
    (one,) = caught
    return one


def sent_by_an_instance(warning: Warning) -> Warned:
    """Go the way of a warning: through the instance's forwarder."""
    sent: list[Warned] = []

    def emit(text: str, category: tuple[str, ...], path: str, line: int) -> None:
        sent.append(Warned(text=text, category=category, path=path, line=line))

    with warnings.catch_warnings():
        forwarder = WarningForwarder(emit)
        forwarder.install()
        warnings.warn_explicit(warning, type(warning), "/srv/shop/app.py", 3, registry={})
        forwarder.remove()
    (one,) = sent
    return one


@pytest.mark.parametrize(
    "warning",
    (
        DeprecationWarning("old"),
        ShopWarning("old"),
        CodedWarning(3, "old"),
        Holder.NestedWarning("old"),
        pytest.PytestWarning("old"),
        UserWarning(),
    ),
    ids=lambda warning: type(warning).__name__,
)
def test_a_warning_keeps_class_text_and_place(warning: Warning) -> None:
    one = reissued(sent_by_an_instance(warning))
    assert one.category is type(warning)
    assert str(one.message) == str(warning)
    assert (one.filename, one.lineno) == ("/srv/shop/app.py", 3)


def test_a_warning_that_cannot_be_made_again_is_one_of_its_nearest_base() -> None:
    one = reissued(sent_by_an_instance(ShownWarning(3, "old")))
    assert one.category is RuntimeWarning
    assert str(one.message) == "[3] old"


def test_a_class_that_is_not_imported_here_falls_back_to_the_nearest_base_that_is() -> None:
    nearest = f"{__name__}.ShopWarning"
    one = reissued(warned("not_imported.AWarning", nearest, "builtins.UserWarning"))
    assert one.category is ShopWarning
    assert reissued(warned("not_imported.AWarning")).category is UserWarning
    assert reissued(warned()).category is UserWarning


def test_a_name_that_is_no_warning_here_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("changed")
    setattr(module, "NowAFunction", len)  # noqa: B010 (a made-up module)
    setattr(module, "NowAnError", ValueError)  # noqa: B010 (as above)
    monkeypatch.setitem(sys.modules, "changed", module)
    one = reissued(warned("changed.NowAFunction", "changed.NowAnError", "builtins.FutureWarning"))
    assert one.category is FutureWarning


def test_the_same_warning_is_issued_again_for_each_instance() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(2):
            relay_warning(warned("builtins.UserWarning"))
    assert len(caught) == 2


def test_the_filters_of_this_process_decide() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", ShopWarning)
        with pytest.raises(ShopWarning, match="old"):
            relay_warning(warned(f"{__name__}.ShopWarning"))
        warnings.simplefilter("ignore", ShopWarning)
        relay_warning(warned(f"{__name__}.ShopWarning"))
