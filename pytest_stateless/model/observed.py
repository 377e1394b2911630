"""What a service holds, as a value that can be compared.

It is made of what JSON has: texts, numbers, booleans, None, lists, and dictionaries with texts as
keys. What differs from one run to the next although nothing is wrong (a time, an id that the
service has drawn) is wrapped in `Volatile`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Observed = object
"""A value as described above."""

_MISSING = "nothing"


@dataclass(frozen=True, slots=True, eq=False)
class Volatile:
    """A value that is expected to differ between runs.

    It equals every other one: that there is a value is compared, which one is not.

    Attributes:
        value: What the service holds.
    """

    value: Observed

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Volatile) or NotImplemented

    def __hash__(self) -> int:
        return hash(Volatile)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One place in which two observations differ.

    Attributes:
        path: Where, such as `s3.photos.cat.png.sha256`.
        one: What the first one has there, `nothing` if that is missing.
        other: What the second one has there.
    """

    path: str
    one: str
    other: str


def compare(one: Observed, other: Observed, path: str = "") -> Iterator[Difference]:
    """Find where two observations differ.

    Args:
        one: An observation.
        other: Another one of the same services.
        path: Where both are.

    Yields:
        The differences, in the order of the keys; of volatile values none.
    """
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in sorted({*one, *other}):
            below = f"{path}.{key}" if path else key
            if key in one and key in other:
                yield from compare(one[key], other[key], below)
            else:
                yield Difference(path=below, one=_show(one, key), other=_show(other, key))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (here, there) in enumerate(zip(one, other, strict=True)):
            yield from compare(here, there, f"{path}[{number}]")
    elif one != other:
        yield Difference(path=path, one=repr(one), other=repr(other))


def _show(mapping: Mapping[str, Observed], key: str) -> str:
    return repr(mapping[key]) if key in mapping else _MISSING
