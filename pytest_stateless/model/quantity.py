"""Sizes and durations as people write them: `512 MB`, `30 s`."""

from __future__ import annotations

import re

from pytest_stateless.errors import ConfigurationError

KB = 1024
MB = 1024 * KB
GB = 1024 * MB

_SIZE_UNITS = {"": 1, "b": 1, "kb": KB, "kib": KB, "mb": MB, "mib": MB, "gb": GB, "gib": GB}
_TIME_UNITS = {"": 1.0, "s": 1.0, "ms": 0.001, "min": 60.0, "m": 60.0, "h": 3600.0}
_QUANTITY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*")


def parse_size(value: object, *, name: str) -> int:
    """Read a size.

    Args:
        value: A number of bytes, or text such as `512 MB`. Units are powers of 1024, as the
            platforms' documentation uses them.
        name: What the size is for, for the message.

    Returns:
        The size in bytes.

    Raises:
        ConfigurationError: The value is no size, or is not positive.
    """
    return int(_parse(value, name=name, units=_SIZE_UNITS, example="512 MB"))


def parse_duration(value: object, *, name: str) -> float:
    """Read a duration.

    Args:
        value: A number of seconds, or text such as `30 s` or `250 ms`.
        name: What the duration is for, for the message.

    Returns:
        The duration in seconds.

    Raises:
        ConfigurationError: The value is no duration, or is not positive.
    """
    return _parse(value, name=name, units=_TIME_UNITS, example="30 s")


def _parse(
    value: object, *, name: str, units: dict[str, float] | dict[str, int], example: str
) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        number = float(value)
    else:
        match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
        if match is None or match[2].lower() not in units:
            known = ", ".join(unit for unit in units if unit)
            raise ConfigurationError(
                f"{name} = {value!r} cannot be read; write a number and a unit, "
                f"such as {example!r} (units: {known})"
            )
        number = float(match[1]) * units[match[2].lower()]
    if not 0 < number < float("inf"):
        raise ConfigurationError(f"{name} = {value!r} must be more than 0, such as {example!r}")
    return number


def format_size(size_bytes: int) -> str:
    """Write a size as reports show it, such as `512 MB` or `4.5 MB`."""
    for unit, factor in (("GB", GB), ("MB", MB), ("KB", KB)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:.1f}".removesuffix(".0") + f" {unit}"
    return f"{size_bytes} bytes"


def format_duration(duration_s: float) -> str:
    """Write a duration as reports show it, such as `250 ms` or `3 s`."""
    if duration_s < 1:
        return f"{duration_s * 1000:.3g} ms"
    return f"{duration_s:.3g} s"
