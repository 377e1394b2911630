"""What a call that changes the filesystem does, read off the call's own text.

An instance reports a call as a reader knows it, such as `open('db.json', 'w')`. Here it becomes
an `Action`, and an action becomes words.
"""

from __future__ import annotations

import re
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Action(Enum):
    """What a call does to a path; the value is how a report says it (subject, participle)."""

    CREATE = ("{}", "created")
    WRITE = ("{}", "written")
    APPEND = ("{}", "appended to")
    CHANGE = ("{}", "changed")
    REMOVE = ("{}", "removed")
    RENAME = ("{}", "made by a rename")
    TRUNCATE = ("{}", "cut")
    MAKE_FOLDER = ("folder {}", "made")
    REMOVE_FOLDER = ("folder {}", "removed")
    MAKE_LINK = ("link {}", "made")
    MAKE_SOCKET = ("socket {}", "made")
    MAKE_NODE = ("{}", "made")
    SET_PERMISSIONS = ("the permissions of {}", "changed")
    SET_OWNER = ("the owner of {}", "changed")
    SET_TIMES = ("the times of {}", "changed")
    SET_ATTRIBUTES = ("the attributes of {}", "changed")

    @property
    def changes_content(self) -> bool:
        """Whether a file's content or existence is at stake, rather than what is around it."""
        return self.value[0] == "{}" and self is not Action.MAKE_NODE


_BY_FUNCTION: Mapping[str, Action] = MappingProxyType({
    "mkdir": Action.MAKE_FOLDER,
    "mkdirat": Action.MAKE_FOLDER,
    "makedirs": Action.MAKE_FOLDER,
    "remove": Action.REMOVE,
    "unlink": Action.REMOVE,
    "unlinkat": Action.REMOVE,
    "rmdir": Action.REMOVE_FOLDER,
    "removedirs": Action.REMOVE_FOLDER,
    "rmtree": Action.REMOVE_FOLDER,
    "rename": Action.RENAME,
    "renames": Action.RENAME,
    "renameat": Action.RENAME,
    "renameat2": Action.RENAME,
    "replace": Action.RENAME,
    "move": Action.RENAME,
    "link": Action.MAKE_LINK,
    "linkat": Action.MAKE_LINK,
    "symlink": Action.MAKE_LINK,
    "symlinkat": Action.MAKE_LINK,
    "truncate": Action.TRUNCATE,
    "ftruncate": Action.TRUNCATE,
    "bind": Action.MAKE_SOCKET,
    "mkfifo": Action.MAKE_NODE,
    "mknod": Action.MAKE_NODE,
    "mkstemp": Action.CREATE,
    "touch": Action.CREATE,
    "mkdtemp": Action.MAKE_FOLDER,
    "chmod": Action.SET_PERMISSIONS,
    "fchmod": Action.SET_PERMISSIONS,
    "lchmod": Action.SET_PERMISSIONS,
    "copymode": Action.SET_PERMISSIONS,
    "chown": Action.SET_OWNER,
    "fchown": Action.SET_OWNER,
    "lchown": Action.SET_OWNER,
    "utime": Action.SET_TIMES,
    "setxattr": Action.SET_ATTRIBUTES,
    "removexattr": Action.SET_ATTRIBUTES,
    "chflags": Action.SET_ATTRIBUTES,
    "copystat": Action.SET_ATTRIBUTES,
})

_MODE = re.compile(r", *(?:mode=)?'([rwaxbtU]*[rwax][rwaxbtU+]*)'")
_DATABASE = re.compile(r"\(sqlite (?P<given>.+)\)$")
_LITERAL = re.compile(r"""(['"])((?:\\.|(?!\1).)*)\1""")


def read_action(operation: str) -> Action:
    """Read what a call does.

    Args:
        operation: The call as text, such as `os.mkdir('uploads')`.

    Returns:
        The action; `WRITE` where the call is not known.
    """
    function = operation.partition("(")[0].strip().rpartition(".")[2]
    known = _BY_FUNCTION.get(function)
    if known is not None:
        return known
    mode = _MODE.search(operation)
    letters = mode[1] if mode else ""
    if "x" in letters or "O_EXCL" in operation:
        return Action.CREATE
    if "a" in letters or "O_APPEND" in operation:
        return Action.APPEND
    if "r" in letters and "+" in letters:
        return Action.CHANGE
    return Action.WRITE


def moves_away(operation: str, path: str) -> bool:
    """Tell whether a call moves `path` itself to somewhere else, rather than something onto it."""
    names = [literal.rpartition("/")[2] for literal in read_literals(operation)]
    is_first = bool(names) and names[0] == path.rpartition("/")[2]
    return read_action(operation) is Action.RENAME and is_first and names[0] not in names[1:]


def read_literals(operation: str) -> tuple[str, ...]:
    """Return the paths and modes that a call names: its quoted texts, or its database."""
    database = _DATABASE.search(operation)
    if database is not None:
        return (database["given"],)
    return tuple(match[2] for match in _LITERAL.finditer(operation))
