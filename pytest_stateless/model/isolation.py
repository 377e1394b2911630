"""What can seal an instance: what each isolation needs, what it gives, and what it lets through.

The one table from which the header, the documentation and the conformance tests are made. A gap
is a claim too: the tests carry out each, and fail if it turns out to be closed.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

IsolationName = Literal["namespace", "landlock", "fake"]
NAMES: tuple[IsolationName, ...] = get_args(IsolationName)
"""Strongest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Something that an isolation does not enforce, or does otherwise than the platform.

    Attributes:
        name: Stable, for tests and documentation.
        text: One line.
    """

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """One way to seal an instance.

    Attributes:
        name: As the option takes it.
        needs: What a machine must have.
        gives: What is enforced, and by whom.
        enforcer: Who refuses, in a word, for the header.
        gaps: What it lets through.
        uncovered: The gaps in one clause, for the header; empty if there are none.
    """

    name: IsolationName
    needs: str
    gives: str
    enforcer: str
    gaps: tuple[Gap, ...] = ()
    uncovered: str = ""

    def lacks(self, gap: str) -> bool:
        """Tell whether it has a gap of this name."""
        return any(one.name == gap for one in self.gaps)


_TMP_OF_PROGRAMS = Gap(
    name="tmp-of-programs",
    text=(
        "programs and C code find the host's /tmp at /tmp; TMPDIR names the folder that Python "
        "code has as /tmp"
    ),
)
_SIZE_BY_PROGRAMS = Gap(
    name="size-by-programs",
    text=(
        "what programs and C code (sqlite too) write to the instance's /tmp is never refused for "
        "want of room"
    ),
)
_SHARED_MACHINE = Gap(
    name="shared-machine",
    text="an instance sees the host's processes",
)
_SHARED_IPC = Gap(
    name="shared-ipc",
    text="semaphores, queues and shared memory of System V outlive their instance",
)

ISOLATIONS: Mapping[IsolationName, Isolation] = MappingProxyType({
    "namespace": Isolation(
        name="namespace",
        needs="Linux 5.12; root, or unprivileged user namespaces",
        gives=(
            "a mount namespace for each instance: everything is read-only, /tmp is an empty tmpfs "
            "of the platform's size, service paths are writable; the kernel answers EROFS, to C "
            "code and programs too"
        ),
        enforcer="kernel",
    ),
    "landlock": Isolation(
        name="landlock",
        needs=(
            "Linux 5.13 with Landlock (5.19 to move files between folders of /tmp, 6.2 to refuse "
            "truncate in C code, 6.12 to refuse signals to other processes)"
        ),
        gives=(
            "the kernel refuses writes outside /tmp and service paths, to C code and programs too "
            "(EACCES); Python code is answered EROFS, and has a private /tmp of the platform's "
            "size"
        ),
        enforcer="kernel",
        gaps=(
            Gap(
                name="attributes",
                text=(
                    "C code and programs can change modes, owners, times and extended attributes "
                    "of files that exist"
                ),
            ),
            _TMP_OF_PROGRAMS,
            _SIZE_BY_PROGRAMS,
            _SHARED_MACHINE,
            _SHARED_IPC,
        ),
        uncovered="/tmp of programs and C code; chmod, chown, utime by them",
    ),
    "fake": Isolation(
        name="fake",
        needs="nothing",
        gives=(
            "the interpreter refuses writes outside /tmp and service paths before they happen "
            "(EROFS), and gives Python code a private /tmp of the platform's size"
        ),
        enforcer="Python code only",
        gaps=(
            Gap(
                name="programs",
                text="programs that are started (subprocess, os.system) write where they like",
            ),
            Gap(
                name="c-code",
                text=(
                    "C code (extension modules, ctypes, ATTACH of sqlite, dbm) writes where it "
                    "likes"
                ),
            ),
            Gap(
                name="other-processes",
                text="programs and C code can signal the user's other processes",
            ),
            _TMP_OF_PROGRAMS,
            _SIZE_BY_PROGRAMS,
            _SHARED_MACHINE,
            _SHARED_IPC,
        ),
        uncovered="what programs and C code write",
    ),
})  # fmt: skip


def find_isolation(name: IsolationName) -> Isolation:
    """Return an isolation by its name."""
    return ISOLATIONS[name]


def is_at_least(name: IsolationName, minimum: IsolationName) -> bool:
    """Tell whether an isolation is as strong as another, or stronger."""
    return NAMES.index(name) <= NAMES.index(minimum)
