"""Holds the documentation to the code: generated blocks, links, snippets, names."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest
from documentation.page import DOCS, PROJECT, anchors, blocks, links, pages, read

from pytest_stateless import RULES
from pytest_stateless.session.options import OPTIONS

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

REFERENCE = PROJECT / ".ci" / "reference.py"
PAGES = pages()
OPTION = re.compile(r"(?<![\w-])(?:stateless_|--stateless-)([a-z_-]+[a-z])")


def name_of(page: Path) -> str:
    return str(page.relative_to(PROJECT))


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    """The program that writes the generated blocks."""
    spec = importlib.util.spec_from_file_location("reference", REFERENCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_blocks_are_up_to_date() -> None:
    ended = subprocess.run(
        [sys.executable, REFERENCE, "check"], check=False, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr


def test_a_block_that_is_out_of_date_is_noticed_and_renewed(reference: ModuleType) -> None:
    page = read(DOCS / "reference" / "rules.md")
    assert reference.updated(page) == page
    changed = page.replace("write-outside-tmp |", "write-elsewhere |")
    assert changed != page
    assert reference.updated(changed) == page


def test_each_block_that_can_be_generated_is_on_a_page(reference: ModuleType) -> None:
    used = set(re.findall(r"<!-- generated: ([a-z-]+) -->", "".join(map(read, PAGES)))) - {"end"}
    assert used == set(reference.BLOCKS)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    broken: list[str] = []
    for link in links(read(page)):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        is_there = target.exists() and target.is_relative_to(PROJECT)
        if not is_there or (anchor and anchor not in anchors(read(target))):
            broken.append(link)
    assert broken == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    found = {PROJECT / "README.md"}
    waiting = list(found)
    while waiting:
        page = waiting.pop()
        targets = {(page.parent / link.partition("#")[0]).resolve() for link in links(read(page))}
        news = {target for target in targets if target.suffix == ".md" and target.is_file()} - found
        found |= news
        waiting += news
    assert set(PAGES) - found == set()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_snippets_can_be_read_by_what_they_are_for(page: Path) -> None:
    for block in blocks(read(page)):
        try:
            if block.language == "toml":
                tomllib.loads(block.text)
            elif block.language == "python":
                ast.parse(block.text)
        except (SyntaxError, tomllib.TOMLDecodeError) as error:
            pytest.fail(f"{name_of(page)}:{block.line}: {error}")
        assert block.language, f"{name_of(page)}:{block.line}: a block of no language"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_options_that_a_page_names_exist(page: Path) -> None:
    names = {name.replace("-", "_") for name in OPTION.findall(read(page))}
    assert names - {option.name for option in OPTIONS} == set()


def test_each_rule_has_a_section_and_no_other_has() -> None:
    headings = re.findall(r"^## (SL\d+ .+)$", read(DOCS / "reference" / "rules.md"), re.MULTILINE)
    assert headings == [f"{rule.code} {rule.name}" for rule in RULES.values()]
