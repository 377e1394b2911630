from __future__ import annotations

import json
import subprocess
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pytest_stateless
from pytest_stateless.guest.observe.exception_blob import pickle_exception, unpickle_exception
from pytest_stateless.guest.observe.tracebacks import cut_traceback, last_line
from pytest_stateless.guest.stack import StackReader
from pytest_stateless.model.first_party import FirstParty

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__)
READER = StackReader(FirstParty(roots=(str(HERE.parent),)))


class SoldOutError(ValueError):
    """Pickles, but cannot be made again from its arguments."""

    def __init__(self, sku: str, left: int) -> None:
        super().__init__(f"{sku}: {left} left")

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return type(self), ("tea",)


def caught(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause  # noqa: TRY301 (to have a traceback is all that it is for)
    except BaseException as raised:  # noqa: BLE001 (any kind is asked for)
        return raised


def test_an_exception_travels_with_traceback_notes_and_cause() -> None:
    error = caught(KeyError("sku"), caught(OSError(30, "Read-only", "db.json")))
    error.add_note("in the cart")

    again = unpickle_exception(pickle_exception(error))

    assert type(again) is KeyError
    assert again.args == ("sku",)
    assert again.__notes__ == ["in the cart"]
    assert isinstance(again.__cause__, OSError)
    assert again.__cause__.filename == "db.json"
    assert [frame.name for frame in traceback.extract_tb(again.__traceback__)] == ["caught"]


def test_what_cannot_be_pickled_has_a_stand_in_that_reads_the_same() -> None:
    error = caught(SoldOutError("tea", 0), caught(KeyError("sku")))

    again = unpickle_exception(pickle_exception(error))

    assert type(again) is not SoldOutError
    assert isinstance(again, ValueError)
    assert isinstance(again.__cause__, KeyError)
    assert type(again).__module__ == __name__
    lines = traceback.format_exception(again)
    assert (
        lines[-1]
        == traceback.format_exception(error)[-1]
        == f"{__name__}.SoldOutError: tea: 0 left\n"
    )
    assert [frame.name for frame in traceback.extract_tb(again.__traceback__)] == ["caught"]


def test_a_group_travels() -> None:
    group = ExceptionGroup("both", [ValueError("a"), KeyError("b")])

    again = unpickle_exception(pickle_exception(caught(group)))

    assert isinstance(again, ExceptionGroup)
    assert [type(one) for one in again.exceptions] == [ValueError, KeyError]


def test_an_exception_of_a_module_that_is_not_loaded_here_imports_nothing(tmp_path: Path) -> None:
    (tmp_path / "shop_errors.py").write_text("class Gone(LookupError): pass\n")
    program = (
        "import sys, shop_errors\n"
        "from pytest_stateless.guest.observe.exception_blob import pickle_exception\n"
        "sys.stdout.buffer.write(pickle_exception(shop_errors.Gone('tea')))\n"
    )
    root = str(Path(pytest_stateless.__file__).parents[1])
    environment = {"PYTHONPATH": f"{tmp_path}:{root}"}
    command = [sys.executable, "-c", program]
    blob = subprocess.run(command, env=environment, capture_output=True, check=True).stdout

    error = unpickle_exception(blob)

    assert isinstance(error, LookupError)
    assert last_line(error) == "shop_errors.Gone: tea"
    assert "shop_errors" not in sys.modules


def test_a_traceback_begins_at_the_users_first_frame_and_keeps_its_chain() -> None:
    def load() -> None:
        try:
            json.loads("{")
        except ValueError as error:
            raise RuntimeError("cannot load") from error

    scope: dict[str, Callable[..., None]] = {}
    server = "def call(function):\n    function()\n"
    exec(compile(server, "/elsewhere/server.py", "exec"), scope)  # noqa: S102 (a file elsewhere)
    error: BaseException = EOFError()
    try:
        scope["call"](load)
    except RuntimeError as raised:
        error = raised.with_traceback(raised.__traceback__ and raised.__traceback__.tb_next)
    assert "server.py" in "".join(traceback.format_exception(error))

    text = cut_traceback(error, READER)

    assert "server.py" not in text
    assert text.count("Traceback (most recent call last):") == 2
    assert "The above exception was the direct cause" in text
    assert text.endswith("RuntimeError: cannot load\n")
    assert "json/decoder.py" in text


def test_frames_of_this_package_are_left_out_where_no_frame_is_first_party() -> None:
    reader = StackReader(FirstParty(roots=()))
    with pytest.raises(EOFError) as caught_here:
        unpickle_exception(b"")

    text = cut_traceback(caught_here.value, reader)

    assert "exception_blob.py" not in text
    assert text.endswith("EOFError: Ran out of input\n")


@pytest.mark.parametrize(
    ("error", "line"),
    (
        (ValueError("no sku"), "ValueError: no sku"),
        (KeyError(), "KeyError"),
        (SyntaxError("invalid syntax"), "SyntaxError: invalid syntax"),
    ),
)
def test_the_last_line_names_the_error(error: BaseException, line: str) -> None:
    assert last_line(error) == line
