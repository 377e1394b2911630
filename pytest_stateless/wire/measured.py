"""What an instance says of the lines that ran in it; see `wire.messages` for the whole."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What has run since the last such message; sent before `Done` and before `StartFailed`.

    Attributes:
        is_branch: Whether pairs of lines that followed each other were measured, or lines.
        modules: Of the packages and modules that the order names: those that ran here, each with
            its file; empty for one that has none, or whose import failed.
        tracers: Files that a plugin of coverage.py takes care of, each with the plugin's name.
        blob: A JSON object: for each absolute path a list of line numbers, or of pairs of them.
            What coverage.py itself would send (`CoverageData.dumps`) is a program in SQL; what
            comes from an instance is never executed.
    """

    is_branch: bool
    modules: dict[str, str] = field(default_factory=dict)
    tracers: dict[str, str] = field(default_factory=dict)
    blob: bytes = b"{}"
