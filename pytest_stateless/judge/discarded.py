"""What of a write to an instance's own disk is worth telling, and how bad it is.

Nothing fails there: the file is written, and gone with the instance. So what counts is whether
somebody may miss it.

* What an instance writes as it starts, each instance writes anew: only a log file is told.
* What is around a file (folders, links, permissions, times) holds nothing that could be lost.
* What a request writes and leaves is told as a warning: it may be a cache, or a scratch file that
  nobody removes, or an upload that somebody will ask for.
* A file that requests use as a database (see `judge.database`) is an error: its data is lost. Not
  so the making of tables, which each instance repeats, nor what is named a cache.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_stateless.judge.advice import is_log, name_library
from pytest_stateless.judge.database import is_sqlite
from pytest_stateless.judge.operation import read_action
from pytest_stateless.model.platform import PROFILES
from pytest_stateless.model.rule import Severity

if TYPE_CHECKING:
    from pytest_stateless.model.observation import Write

_CROSS_DEVICE = "[Errno 18]"
_OF_ROWS = re.compile(r"^(INSERT|REPLACE|UPDATE|DELETE|WITH)\b")


def is_worth_telling(write: Write, rule: str) -> bool:
    """Tell whether an allowed write is reported at all.

    Args:
        write: The write.
        rule: The rule that it breaks, if it is told.

    Returns:
        False for what nobody misses.
    """
    if rule == "SL105":
        return True
    if write.phase == "start":
        return is_log(write)
    return read_action(write.operation).changes_content


def weigh(write: Write, rule: str, shown: str) -> Severity:
    """Weigh a write that is lost with its instance, or would be if this machine allowed it.

    Args:
        write: The write.
        rule: The rule that it breaks.
        shown: The file as reports show it.

    Returns:
        The severity.
    """
    is_of_data = rule == "SL105" and write.phase == "request"
    if is_sqlite(write) and _OF_ROWS.match(write.operation) is None:
        is_of_data = False
    is_cache = "cache" in shown.lower() or "cache" in name_library(write.stack)
    return Severity.ERROR if is_of_data and not is_cache else Severity.WARNING


def word_fate(platform: str) -> str:
    """Say what becomes of a file on an instance's own disk.

    Args:
        platform: Name of the platform.

    Returns:
        A clause that follows a file's name.
    """
    profile = PROFILES.get(platform)
    if profile is not None and profile.writes == "refuse":
        return f"on {platform} it cannot be written; here it is gone with its instance"
    return f"on {platform} it is gone with its instance, and no other instance sees it"


def word_obstacle(write: Write, platform: str, isolation: str) -> tuple[str, str]:
    """Say why a write fails here that would not fail on the platform.

    Args:
        write: The write.
        platform: Name of the platform.
        isolation: What sealed the instance.

    Returns:
        The cause, and the fix; empty where that of any write will do.
    """
    if isolation != "namespace":
        return (
            f"isolation {isolation} has no disk to give, and refuses it here; "
            f"{word_fate(platform)}."
        ), ""
    if _CROSS_DEVICE in write.error:
        return (
            (
                "here /tmp and the instance's own disk are two filesystems, and an ordinary user "
                f"cannot rename a folder that was there before; {word_fate(platform)}."
            ),
            "use shutil.move, which copies where it must",
        )
    return (
        (
            "here it is not on the instance's own disk, because it is another user's or the "
            f"machine's; {word_fate(platform)}."
        ),
        "",
    )
