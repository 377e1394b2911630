"""Findings: what was found in the user's app, as values."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_stateless.model.rule import RULES, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One violation of one rule.

    Attributes:
        rule: The code of the rule, such as `SL101`.
        severity: Of this finding; a judgement may lower the rule's own.
        message: What happened, short enough for one line.
        path: Source file, relative to the rootdir; absolute where it lies outside; empty where
            no place is known.
        line: 1-based line number, 0 where no place is known.
        cause: Why that is wrong on a serverless platform, one sentence.
        evidence: What was seen, a line each, ready to print.
        fix: What to do about it, one line.
        request: Title of the request in which it was seen, such as `POST /entries (request 1)`.
        is_once_a_session: Whether it says the same in every test, so that one test's report of
            it is enough: what a library starts at import, say.
    """

    rule: str
    severity: Severity
    message: str
    path: str
    line: int
    cause: str
    evidence: tuple[str, ...]
    fix: str
    request: str = ""
    is_once_a_session: bool = False

    @property
    def name(self) -> str:
        """The short name of the rule, such as `write-outside-tmp`."""
        return RULES[self.rule].name

    @property
    def place(self) -> str:
        """The place as `path:line`, or an empty string."""
        return f"{self.path}:{self.line}" if self.path else ""
