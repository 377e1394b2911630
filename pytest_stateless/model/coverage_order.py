"""What coverage.py shall measure in an instance, so that it measures there what it does here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

Option = bool | str | tuple[str, ...]
_BY_ITSELF = ("COVERAGE_PROCESS_", "COVERAGE_DEBUG")


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageOrder:
    """The configuration of the test process's own measurement, as plain values.

    Attributes:
        options: Values by name, as `Coverage.set_option` takes them, with absolute paths.
        plugin_options: For each of coverage's plugins, what the configuration says to it.

    Source: https://coverage.readthedocs.io/en/latest/config.html
    """

    options: dict[str, Option] = field(default_factory=dict)
    plugin_options: dict[str, dict[str, Option]] = field(default_factory=dict)

    @property
    def is_branch(self) -> bool:
        """Whether pairs of lines that followed each other are measured, rather than lines."""
        return self.options.get("run:branch") is True

    @property
    def folders(self) -> tuple[str, ...]:
        """Absolute folders that are to be measured."""
        return self._texts("run:source_dirs")

    @property
    def modules(self) -> tuple[str, ...]:
        """Names of packages and modules that are to be measured, wherever their files are."""
        return self._texts("run:source_pkgs")

    @property
    def plugins(self) -> tuple[str, ...]:
        """Names of modules that are coverage's plugins."""
        return self._texts("run:plugins")

    @property
    def silent(self) -> tuple[str, ...]:
        """Names of coverage's warnings that nobody wants."""
        return self._texts("run:disable_warnings")

    def _texts(self, name: str) -> tuple[str, ...]:
        value = self.options.get(name, ())
        return value if isinstance(value, tuple) else ()


def without_coverage(environ: Mapping[str, str]) -> dict[str, str]:
    """Leave out the variables by which coverage.py starts by itself in every new interpreter.

    Where it did, it would measure a zygote, or end a program that a sealed app has started with
    the complaint that its file cannot be written.

    Args:
        environ: An environment.

    Returns:
        The rest of it.

    Source: https://coverage.readthedocs.io/en/latest/subprocess.html
    """
    return {name: value for name, value in environ.items() if not name.startswith(_BY_ITSELF)}
