"""Writes what the documentation says of the code's own tables: options, rules, platforms, ...

    python .ci/reference.py          write it
    python .ci/reference.py check    list the pages that are out of date, and exit with 1 if any is

A page is written by hand but for its generated blocks, each between two comments that no reader
sees:

    <!-- generated: NAME -->
    <!-- generated: end -->

The same code makes the same text everywhere: nothing here asks the machine. Standard library and
the package only.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest_stateless
from pytest_stateless import RULES, errors
from pytest_stateless.model.isolation import ISOLATIONS
from pytest_stateless.model.platform import PROFILES, PlatformProfile
from pytest_stateless.model.quantity import format_duration, format_size
from pytest_stateless.session.options import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_stateless.session.options import Option

PROJECT = Path(__file__).resolve().parents[1]
_BLOCK = re.compile(
    r"(?P<head>^<!-- generated: (?P<name>[a-z-]+) -->\n)(?P<text>.*?)"
    r"(?P<tail>^<!-- generated: end -->$)",
    re.MULTILINE | re.DOTALL,
)
_MOST_USED = ("app", "platform", "isolation", "service_paths", "allow")
_SECTION = re.compile(r"^(Args|Attributes|Returns|Yields|Raises|Source):", re.MULTILINE)
_FIELD = re.compile(r"^(?P<name>\w+): (?P<text>.*)$")
_APART = ("name", "environment", "sources")
"""Attributes of a platform that are no row of the table."""


def pages() -> list[Path]:
    """List the pages that may have generated blocks, in order."""
    return [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]


def updated(text: str) -> str:
    """Bring the generated blocks of a page up to date.

    Args:
        text: The page.

    Returns:
        The page with each block as the code has it now.
    """

    def renew(found: re.Match[str]) -> str:
        return f"{found['head']}\n{BLOCKS[found['name']]()}\n\n{found['tail']}"

    return _BLOCK.sub(renew, text)


def stale() -> list[Path]:
    """List the pages with a block that is not what the code has now."""
    return [page for page in pages() if updated(_read(page)) != _read(page)]


def _read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


# the pieces of a page


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    cells = [tuple(head), *(tuple(row) for row in rows)]
    first, *others = (f"| {' | '.join(map(_escaped, row))} |" for row in cells)
    return "\n".join([first, "|" + "---|" * len(cells[0]), *others])


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")


def _sentences(text: str) -> str:
    return " ".join(text.split())


def _fields(documented: type) -> dict[str, str]:
    """Read what a class docstring says of its attributes, by their names."""
    return _entries(inspect.getdoc(documented) or "", "Attributes")


def _parts(doc: str) -> dict[str, str]:
    """Split a docstring into its text, under an empty name, and its sections."""
    pieces = _SECTION.split(doc)
    named = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    return {"": pieces[0].strip(), **named}


def _entries(doc: str, section: str) -> dict[str, str]:
    found: dict[str, str] = {}
    name = ""
    for line in inspect.cleandoc(_parts(doc).get(section, "")).splitlines():
        entry = _FIELD.match(line)
        if entry is not None:
            name = entry["name"]
            found[name] = entry["text"]
        elif name:
            found[name] += f" {line.strip()}"
    return {name: _sentences(text) for name, text in found.items()}


# options


def _options() -> str:
    head = ("ini file", "command line", "marker", "default", "meaning")
    return _table(head, (_option_row(option) for option in OPTIONS))


def _option_row(option: Option) -> tuple[str, ...]:
    return (
        f"`{option.ini}`",
        f"`{option.flag}`" if option.on_command_line else "",
        f"`{option.name}`" if option.on_marker else "",
        f"`{option.default}`" if option.default else "",
        _option_meaning(option),
    )


def _option_meaning(option: Option) -> str:
    choices = ", ".join(f"`{choice}`" for choice in option.choices)
    lists = "" if " a line" in option.help else "one a line"
    kind = {"linelist": lists, "paths": lists, "bool": "`true` or `false`"}.get(option.kind, "")
    note = choices or kind
    return f"{option.help} ({note})" if note else option.help


def _most_used_options() -> str:
    named = {option.name: option for option in OPTIONS}
    rows = [named[name] for name in _MOST_USED]
    return _table(
        ("option", "meaning", "default"),
        (
            (f"`{row.ini}`", _option_meaning(row), f"`{row.default}`" if row.default else "")
            for row in rows
        ),
    )


# rules


def _rules() -> str:
    rows = ((rule.code, rule.name, rule.severity.value, rule.summary) for rule in RULES.values())
    return _table(("code", "name", "severity", "what happened"), rows)


# platforms


def _platforms() -> str:
    labels = _fields(PlatformProfile)
    rows = [
        (labels[field.name], *(_limit(field.name, profile) for profile in PROFILES.values()))
        for field in dataclasses.fields(PlatformProfile)
        if field.name not in _APART
    ]
    return _table(("", *(f"`{name}`" for name in PROFILES)), rows)


def _limit(name: str, profile: PlatformProfile) -> str:
    value = getattr(profile, name)
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith("_bytes"):
        return format_size(value)
    return format_duration(value) if name.endswith("_s") else str(value)


def _platform_variables() -> str:
    return "\n".join(
        f"* `{name}`: {', '.join(f'`{key}={value}`' for key, value in profile.environment)}"
        for name, profile in PROFILES.items()
    )


def _platform_sources() -> str:
    lines = [
        f"* `{name}`: {', '.join(f'<{source}>' for source in profile.sources)}"
        for name, profile in PROFILES.items()
    ]
    return "\n".join(lines)


# isolations


def _isolations() -> str:
    rows = (
        (f"`{one.name}`", one.needs, one.enforcer, one.gives, one.uncovered or "nothing")
        for one in ISOLATIONS.values()
    )
    return _table(("isolation", "needs", "enforced by", "gives", "not covered, in short"), rows)


def _gaps() -> str:
    rows: list[tuple[str, str, str]] = []
    for one in ISOLATIONS.values():
        rows += [(f"`{one.name}`", f"`{gap.name}`", gap.text) for gap in one.gaps]
        if not one.gaps:
            rows.append((f"`{one.name}`", "none", ""))
    return _table(("isolation", "gap", "what it lets through"), rows)


# the fixture, what it gives, and what it raises


def _fixture() -> str:
    public = {
        name: member
        for name, member in vars(pytest_stateless.Stateless).items()
        if not name.startswith("_")
    }
    return "\n\n".join(_member(name, member) for name, member in public.items())


def _member(name: str, member: object) -> str:
    doc = inspect.cleandoc(inspect.getdoc(member) or "")
    title = f"stateless.{name}" + ("" if isinstance(member, property) else _signature(member))
    parts = [f"### `{title}`", _parts(doc)[""]]
    arguments = _entries(doc, "Args")
    if arguments:
        parts.append("\n".join(f"* `{key}`: {text}" for key, text in arguments.items()))
    returns = _parts(doc).get("Returns", "")
    if returns and not isinstance(member, property):
        parts.append(f"Returns: {_sentences(returns)}")
    raises = _entries(doc, "Raises")
    if raises:
        parts.append("\n".join(f"* raises `{key}`: {text}" for key, text in raises.items()))
    return "\n\n".join(parts)


def _signature(member: object) -> str:
    assert callable(member)  # noqa: S101 (of what is no property)
    signature = inspect.signature(member)
    kept = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in list(signature.parameters.values())[1:]
    ]
    return str(signature.replace(parameters=kept, return_annotation=inspect.Signature.empty))


def _values() -> str:
    documented = (pytest_stateless.Exchange, pytest_stateless.Finding, pytest_stateless.LogRecord)
    return "\n\n".join(_value(value) for value in documented)


def _value(value: type) -> str:
    described = dict(_fields(value))
    for name, member in vars(value).items():
        if isinstance(member, property):
            described[name] = _parts(inspect.getdoc(member) or "")[""]
    title = f"### `{value.__name__}`\n\n{_parts(inspect.getdoc(value) or '')['']}"
    rows = ((f"`{name}`", _sentences(text)) for name, text in described.items())
    return f"{title}\n\n{_table(('attribute', 'meaning'), rows)}"


def _exceptions() -> str:
    tree = (errors.__doc__ or "").partition("\n    StatelessError\n")
    return f"```text\n{inspect.cleandoc(tree[1] + tree[2])}\n```"


BLOCKS: dict[str, Callable[[], str]] = {
    "options": _options,
    "most-used-options": _most_used_options,
    "rules": _rules,
    "platforms": _platforms,
    "platform-variables": _platform_variables,
    "platform-sources": _platform_sources,
    "isolations": _isolations,
    "gaps": _gaps,
    "fixture": _fixture,
    "values": _values,
    "exceptions": _exceptions,
}


def main(arguments: list[str]) -> None:
    """Do what the command line says.

    Args:
        arguments: Without the program's name.
    """
    match arguments:
        case []:
            for page in stale():
                page.write_text(updated(_read(page)), encoding="utf-8")
                sys.stdout.write(f"wrote {page.relative_to(PROJECT)}\n")
        case ["check"]:
            names = [str(page.relative_to(PROJECT)) for page in stale()]
            if names:
                sys.exit(f"out of date, run python .ci/reference.py: {', '.join(names)}")
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
