"""Reading a page of the documentation: its fenced blocks, its links and its headings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
DOCS = PROJECT / "docs"

_FENCE = re.compile(
    r"^```(?P<language>[a-z]*)\n(?P<text>.*?)^```$(?=\n|\Z)", re.MULTILINE | re.DOTALL
)
_FILE_NAME = re.compile(r"# (?P<name>[\w./-]+\.(?:py|toml|ini|json))\n")
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ (?P<title>.+)$", re.MULTILINE)
_CODE_SPAN = re.compile(r"`[^`\n]*`")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    text: str
    line: int

    @property
    def file_name(self) -> str:
        """The file that the block is, as its first line says; empty if it is none."""
        found = _FILE_NAME.match(self.text)
        return found["name"] if found else ""


def pages() -> list[Path]:
    return [PROJECT / "README.md", *sorted(DOCS.rglob("*.md"))]


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(text: str) -> list[Block]:
    return [
        Block(
            language=found["language"],
            text=found["text"],
            line=text.count("\n", 0, found.start("text")) + 1,
        )
        for found in _FENCE.finditer(text)
    ]


def prose(text: str) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", text)


def links(text: str) -> list[str]:
    # a code span may be a link's text, and then its brackets are its own
    return [found["target"] for found in _LINK.finditer(_CODE_SPAN.sub("code", prose(text)))]


def anchors(text: str) -> set[str]:
    """What a link can name behind a `#`, as forges make it of a heading."""
    titles = (found["title"] for found in _HEADING.finditer(prose(text)))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
