"""A process that forks as a zygote does: nothing but a fork, or a fork that is sealed and proved.

It is what an isolation costs, with nothing else: no app, no interpreter's start, no message. It
runs as a program of its own, so that it can run as another user.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time

from pytest_stateless.forkserver import folders
from pytest_stateless.guest.sandbox import linux
from pytest_stateless.guest.sandbox.apply import apply
from pytest_stateless.guest.sandbox.plan import (
    plan_namespaces,
    plan_zygote,
    plan_zygote_without_mounts,
)
from pytest_stateless.guest.sealing import guard_imports, plan_ahead, rehearse, seal_process
from pytest_stateless.wire.control import Seal

_TMP_BYTES = 512 << 20


def _become_a_zygote(isolation: str, *, is_privileged: bool) -> str:
    """Do what a zygote does before it forks; give the folder of its instances' folders."""
    base = "" if isolation == "namespace" else folders.make_base()
    if base:
        apply(plan_zygote_without_mounts())
        guard_imports(base)
    else:
        uid, gid = os.getuid(), os.getgid()
        apply(plan_namespaces(uid=uid, gid=gid, is_privileged=is_privileged, has_pid=False))
        apply(plan_zygote(has_pid=False))
    rehearse(isolation, is_privileged=is_privileged)  # type: ignore[arg-type]
    gc.disable()
    gc.collect()
    gc.freeze()
    return base


def main(isolation: str, rounds: int) -> None:
    """Print the times of bare and of sealed forks, in turns, as JSON.

    Args:
        isolation: What to seal by.
        rounds: How many of each.
    """
    seal = Seal(tmp_bytes=_TMP_BYTES, isolation=isolation)  # type: ignore[arg-type]
    is_privileged = linux.has_capability(linux.CAP_SYS_ADMIN)
    base = _become_a_zygote(isolation, is_privileged=is_privileged)
    bare: list[float] = []
    sealed: list[float] = []
    for number in range(rounds):
        started = time.perf_counter()
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        bare.append(time.perf_counter() - started)
        started = time.perf_counter()
        private = folders.make(base, str(number)) if base else ""
        plan_ahead(seal, is_privileged=is_privileged, private=private)
        pid = os.fork()
        if pid == 0:
            seal_process(seal, is_privileged=is_privileged, private=private)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        folders.remove(private)
        sealed.append(time.perf_counter() - started)
        if status:
            sys.exit(f"isolation {isolation}: a sealed fork ended with status {status}")
    folders.remove(base)
    print(json.dumps({"bare": bare, "sealed": sealed, "root": is_privileged}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
