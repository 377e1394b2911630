"""Lines of text fitted to the terminal: hanging indents, clickable places left whole."""

from __future__ import annotations

import re
import textwrap

MIN_WIDTH = 40
_HANG = 4
# a place in front of a line may hold spaces of its own; two spaces end it
_PLACE_COLUMN = re.compile(r"\A[^\s:](?:[^\s:]| (?! ))*:\d+(?=  |$)")
_COLUMN_GAP = re.compile(r" {3,}")
_KEPT_SPACE = "\x00"


def wrap(text: str, width: int, *, indent: int, hang: int | None = None) -> list[str]:
    """Fit one line of a report to the terminal.

    Args:
        text: The line; blanks in front of it add to the indent. Its line breaks are kept.
        width: Of the terminal, in columns; less than 40 counts as 40.
        indent: Blanks in front of the first line.
        hang: Blanks in front of the following lines, `indent + 4` if not given.

    Returns:
        The lines; a word longer than a line, such as a place, is not broken.
    """
    lines: list[str] = []
    for paragraph in text.splitlines() or [""]:
        own = len(paragraph) - len(paragraph.lstrip(" "))
        hanging = (indent + _HANG if hang is None else hang) + own
        lines += _wrap_paragraph(
            paragraph.strip(" "), max(width, MIN_WIDTH), (indent + own, hanging)
        )
    return lines


def _wrap_paragraph(text: str, width: int, indents: tuple[int, int]) -> list[str]:
    first, hanging = indents
    if first + len(text) <= width:
        return [(" " * first + text).rstrip()]
    # columns of evidence stay whole where they can
    head, *columns = _COLUMN_GAP.split(text)
    lines = _fill(head, width, indents)
    if hanging == first + _HANG:
        for column in columns:
            lines += _fill(column, width, (hanging, hanging + _HANG))
        return lines
    return _fill(text, width, indents)


def _fill(text: str, width: int, indents: tuple[int, int]) -> list[str]:
    lines = textwrap.wrap(
        _PLACE_COLUMN.sub(_keep_spaces, text),
        width,
        initial_indent=" " * indents[0],
        subsequent_indent=" " * indents[1],
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
        expand_tabs=False,
    )
    return [line.replace(_KEPT_SPACE, " ") for line in lines]


def _keep_spaces(match: re.Match[str]) -> str:
    return match[0].replace(" ", _KEPT_SPACE)
