"""What host and zygote say to each other; see `wire.messages` for the whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pytest_stateless.model.coverage_order import CoverageOrder
from pytest_stateless.model.first_party import FirstParty
from pytest_stateless.model.isolation import IsolationName

EXIT_CHANNEL_LOST = 72
"""Exit status of an instance that cannot send any more: the app closed or covered its socket."""
DISK_NAME = "stateless-disk"
"""What the kernel's table of mounts calls the overlays of an instance's own disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """An instance's own disk: what it writes outside `/tmp` lands there and goes with it.

    Attributes:
        size_bytes: How much it may hold.
        folders: Absolute folders that are seen through it and can be written; with `/` among
            them, the whole tree.
        kept: Absolute paths that stay what they are, read-only, where all around is seen through
            the disk.
    """

    size_bytes: int
    folders: tuple[str, ...]
    kept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """What an instance's filesystem shall be; two instances with equal seals are alike.

    Attributes:
        tmp_bytes: Size of the private `/tmp`.
        visible: Absolute folders that stay visible, read-only, if they lie under `/tmp`.
        writable: Absolute folders of service paths, writable.
        isolation: What seals it.
        disk: Where writes outside of these go; None where they are refused.
    """

    tmp_bytes: int
    visible: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    isolation: IsolationName = "namespace"
    disk: Disk | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preload:
    """Import these modules now, so that later instances have them; answered by `Preloaded`.

    Attributes:
        modules: Names in the order of their import.
        refused: Names that must not be imported here, whoever asks.
        sources: First-party source files whose compiled code shall be kept.
        environ: The environment to import them in.
        sys_path: The module search path.
        first_party: What the zygote must never import.
        coverage: What coverage.py measures in instances, and here; what runs when these modules
            are imported is told by `Measured`, before the answer.
    """

    modules: tuple[str, ...]
    refused: tuple[str, ...]
    sources: tuple[str, ...]
    environ: dict[str, str]
    sys_path: tuple[str, ...]
    first_party: FirstParty
    coverage: CoverageOrder | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork:
    """Start an instance; four descriptors come along: channel, stdout, stderr, exit pipe.

    Attributes:
        instance: The host's number for it.
        seal: Its filesystem.
        memory_bytes: The resident size at which the zygote kills it.
        is_spawn: Whether to exec a new interpreter after sealing.
        hash_seed: `PYTHONHASHSEED` of a spawned interpreter, empty for a random one.
    """

    instance: int
    seal: Seal
    memory_bytes: int
    is_spawn: bool = False
    hash_seed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Stop, continue or end an instance with everything that it started.

    Attributes:
        instance: The host's number for it.
        action: What to do; `abort` lets it write its stack to stderr before it ends.
    """

    instance: int
    action: Literal["freeze", "thaw", "abort", "kill"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The zygote can fork.

    Attributes:
        has_pid_namespace: Whether the kernel kills everything with it.
    """

    has_pid_namespace: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Unavailable:
    """The zygote could not be made for its isolation; it has ended.

    Attributes:
        operation: The operation of the plan that failed.
        syscall: The system call.
        errno: Its error number.
    """

    operation: str
    syscall: str
    errno: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Preloaded:
    """The answer to `Preload`.

    Attributes:
        dropped: Module name and reason, for those that could not be imported ahead.
    """

    dropped: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exited:
    """An instance and everything that it started is gone.

    Attributes:
        status: As of waitpid(2).
        survivors: Command lines of processes that had to be killed with it.
        peak_bytes: Its resident size when it passed its memory, 0 if it never did.
    """

    status: int
    survivors: tuple[str, ...] = ()
    peak_bytes: int = 0
