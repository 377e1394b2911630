"""What an instance does to a service, and which of the service's resources that touches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_stateless.model.place import Frame

if TYPE_CHECKING:
    from collections.abc import Iterable

Resource = tuple[str, ...]
"""A name from the general to the particular, the service first, such as `("s3", "photos",
"cat.png")`. It stands for everything below it too: `("s3",)` is all of S3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One action of an instance on a service.

    Where it is not known what an action touches, it reads and writes the whole service.

    Attributes:
        service: The service's name, the first part of each of its resources.
        action: What is done, in the service's own words: `PutItem`, `INSERT`, `open`.
        reads: What it reads.
        writes: What it writes.
        place: The innermost first-party line that did it; None if there is none.
    """

    service: str
    action: str
    reads: tuple[Resource, ...] = ()
    writes: tuple[Resource, ...] = ()
    place: Frame | None = None

    def depends_on(self, other: Operation) -> bool:
        """Tell whether the order of two operations can matter.

        Args:
            other: The other one.

        Returns:
            Whether both touch a resource, or one of them a part of what the other touches, and
            one of the two writes it.
        """
        return (
            _overlap(self.writes, other.writes)
            or _overlap(self.writes, other.reads)
            or _overlap(self.reads, other.writes)
        )


def _overlap(ones: Iterable[Resource], others: Iterable[Resource]) -> bool:
    return any(one[: len(other)] == other[: len(one)] for one in ones for other in others)
