from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_stateless.guest import stack as stack_module
from pytest_stateless.guest.stack import MAX_FRAMES, StackReader, is_internal
from pytest_stateless.model.first_party import FirstParty

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

HERE = Path(__file__).resolve()
OURS = StackReader(FirstParty(roots=(str(HERE.parent),)))
THEIRS = StackReader(FirstParty(roots=("/nowhere",)))


def current() -> FrameType:
    return sys._getframe(1)


def deep(depth: int, function: Callable[[], FrameType]) -> FrameType:
    return deep(depth - 1, function) if depth else function()


def test_a_live_stack_is_read_from_the_inside_out() -> None:
    def inner() -> FrameType:
        return current()

    first, second = OURS.of_frame(inner())[:1][0], OURS.of_frame(deep(0, inner))[1]
    assert first.function.endswith(".<locals>.inner")
    assert second.function == "deep"
    assert (first.path, first.is_first_party, first.source) == (str(HERE), True, "return current()")


def test_a_line_that_is_not_first_party_shows_no_source() -> None:
    frame = THEIRS.of_frame(current())[0]
    assert (frame.path, frame.is_first_party, frame.source) == (str(HERE), False, "")
    assert frame.line > 1


def test_no_stack_is_an_empty_one() -> None:
    assert OURS.of_frame(None) == ()
    assert OURS.of_traceback(None) == ()


@pytest.mark.parametrize("depth", (MAX_FRAMES, MAX_FRAMES * 3))
def test_a_deep_stack_is_cut_at_its_outer_end(depth: int) -> None:
    frames = OURS.of_frame(deep(depth, current))
    assert len(frames) == MAX_FRAMES
    assert {frame.function for frame in frames} == {"deep"}


def test_a_traceback_is_read_from_where_it_was_raised() -> None:
    def fail() -> None:
        raise LookupError

    with pytest.raises(LookupError) as caught:
        fail()
    innermost, outer = OURS.of_traceback(caught.value.__traceback__)[:2]
    assert innermost.source == "raise LookupError"
    assert outer.source == "fail()"


def test_a_deep_traceback_keeps_its_innermost_frames() -> None:
    def fail(depth: int) -> None:
        if not depth:
            raise LookupError
        fail(depth - 1)

    with pytest.raises(LookupError) as caught:
        fail(200)
    frames = OURS.of_traceback(caught.value.__traceback__)
    assert len(frames) == MAX_FRAMES
    assert frames[0].source == "raise LookupError"


def test_the_import_system_and_this_package_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stack_reading.py").write_text(
        "import sys\nfrom pytest_stateless.guest.adapter.load import load_function\n"
        "frame = sys._getframe()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("stack_reading")
    del sys.modules["stack_reading"]
    reader = StackReader(FirstParty(roots=(str(tmp_path),)))
    first, second = reader.of_frame(module.frame)[:2]
    assert (first.path, first.function) == (str(tmp_path / "stack_reading.py"), "<module>")
    assert Path(second.path).name == "__init__.py", "importlib's frozen frames are left out"
    assert second.function == "import_module"
    assert is_internal(stack_module.StackReader.of_frame.__code__)
    assert not is_internal(current().f_code)


def test_a_code_object_s_place_is_its_definition_or_the_given_line() -> None:
    code = deep.__code__
    assert OURS.of_code(code).line == code.co_firstlineno
    assert OURS.of_code(code).source.startswith("def deep(")
    assert OURS.of_code(code, 1).source == "from __future__ import annotations"


def test_code_without_a_file_keeps_its_name() -> None:
    frame = OURS.of_code(compile("1", "<template>", "eval"))
    assert (frame.path, frame.is_first_party, frame.source) == ("<template>", False, "")


def test_a_relative_file_name_is_taken_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "script.py").write_text("x = 1\n")
    monkeypatch.chdir(tmp_path)
    reader = StackReader(FirstParty(roots=(os.getcwd(),)))  # noqa: PTH109 (as code has it)
    frame = reader.of_code(compile("x = 1\n", "script.py", "exec"))
    assert (frame.path, frame.is_first_party) == (f"{os.getcwd()}/script.py", True)  # noqa: PTH109
    assert frame.source == "x = 1"


@given(names=st.lists(st.sampled_from(["/w/a.py", "/x/a.py", "/w/env/a.py", "<string>"])))
def test_what_is_remembered_of_a_file_is_what_the_boundary_says(names: list[str]) -> None:
    first_party = FirstParty(roots=("/w",), excluded=("/w/env",))
    reader = StackReader(first_party)
    assert [reader.owns(name) for name in names] == [first_party.owns_file(name) for name in names]
