"""Suppressions: findings that the user accepts, each with a reason."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from pytest_stateless.errors import ConfigurationError
from pytest_stateless.model.rule import RULES

if TYPE_CHECKING:
    from pytest_stateless.model.finding import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """A rule, the files in which it is accepted, and why.

    Attributes:
        rule: The code of the rule.
        pattern: A glob over the path of the finding, `*` for every file.
        reason: Why the user accepts it.
    """

    rule: str
    pattern: str
    reason: str

    def accepts(self, finding: Finding) -> bool:
        """Tell whether this suppression covers `finding`."""
        return finding.rule == self.rule and fnmatchcase(finding.path, self.pattern)


def parse_suppression(text: str) -> Suppression:
    """Read a suppression.

    Args:
        text: `CODE[:GLOB]  # reason`, such as `SL101:shop/vendor/*  # falls back by itself`.

    Returns:
        The suppression.

    Raises:
        ConfigurationError: The rule does not exist, or the reason is missing.
    """
    head, _, reason = text.partition("#")
    rule, _, pattern = head.strip().partition(":")
    rule = rule.strip()
    if rule not in RULES:
        raise ConfigurationError(
            f"allow entry {text!r}: rule {rule!r} is not known; choose one of {', '.join(RULES)}"
        )
    if not reason.strip():
        raise ConfigurationError(
            f"allow entry {text!r} gives no reason; write it behind a #, "
            f"such as '{head.strip()}  # bounded, one file per instance'"
        )
    return Suppression(rule=rule, pattern=pattern.strip() or "*", reason=reason.strip())
