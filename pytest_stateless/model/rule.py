"""The rules: stable codes, names and severities of what can be found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Severity(StrEnum):
    """How bad a finding is, least first."""

    WARNING = "warning"
    ERROR = "error"

    def reaches(self, threshold: Severity) -> bool:
        """Tell whether this severity is at or above `threshold`."""
        order = list(Severity)
        return order.index(self) >= order.index(threshold)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One kind of finding.

    Attributes:
        code: Stable, such as `SL101`.
        name: The short name that reports print behind the code.
        severity: Of a finding of this rule unless the judgement says otherwise.
        summary: One sentence for the reference documentation.
    """

    code: str
    name: str
    severity: Severity
    summary: str


def _table(*rules: Rule) -> Mapping[str, Rule]:
    return MappingProxyType({rule.code: rule for rule in rules})


RULES: Mapping[str, Rule] = _table(
    Rule(
        code="SL101",
        name="write-outside-tmp",
        severity=Severity.ERROR,
        summary="A write, create, rename, delete or chmod outside /tmp was refused, "
        "or what was written is gone with its instance (a warning).",
    ),
    Rule(
        code="SL103",
        name="tmp-full",
        severity=Severity.ERROR,
        summary="/tmp, or an instance's own disk, ran over the platform's size.",
    ),
    Rule(
        code="SL105",
        name="local-database",
        severity=Severity.ERROR,
        summary="A json, csv, sqlite, shelve or dbm file is used as a database.",
    ),
    Rule(
        code="SL301",
        name="work-after-response",
        severity=Severity.ERROR,
        summary="A thread, task, subprocess, timer or background job was alive after the response.",
    ),
    Rule(
        code="SL501",
        name="payload",
        severity=Severity.ERROR,
        summary="A request or a response is larger than the platform carries.",
    ),
    Rule(
        code="SL502",
        name="timeout",
        severity=Severity.ERROR,
        summary="A request took longer than the platform allows.",
    ),
    Rule(
        code="SL503",
        name="memory",
        severity=Severity.ERROR,
        summary="An instance used more memory than the platform gives.",
    ),
)
