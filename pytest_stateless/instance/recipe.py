"""What instances that can stand in for each other have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pytest_stateless.wire.control import Seal


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to start an instance; a spare one fits if its recipe is the same.

    Attributes:
        seal: Its filesystem.
        memory_bytes: The resident size at which it is killed.
        start: A fork of the zygote, a fork of this process, or a new interpreter.
        hash_seed: `PYTHONHASHSEED` of a new interpreter, empty for a random one.
    """

    seal: Seal
    memory_bytes: int
    start: Literal["cold", "snapshot", "spawn"] = "cold"
    hash_seed: str = ""
