"""What is left over after 10,000 requests: nothing more than after 10.

Counted before (after a few requests) and after, with the zygote and one spare instance alive in
both cases: processes (descendants of this one, and by a mark in their first environment, which
finds those that have left the tree), this process's descriptors and threads, the host's and the
zygote's mounts, temporary files, the zygote's descriptors and children. Resident sizes are
reported only. Exit status 1 if anything grew.

Requests are split into tests, as a suite would; `--per-test 10000` sends all in one test.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.bare_fork import resident_bytes
from benchmarks.bench import SUBJECTS, open_bench
from benchmarks.measure import print_table
from benchmarks.processes import children, descendants, marked, zygote_pid

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from benchmarks.bench import Bench

_WARM_UP = 10
_SETTLED = 3
_SETTLE_S = 0.1
_SETTLE_TIMEOUT_S = 10.0
_MARK = "PYTEST_STATELESS_BENCHMARK"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counts:
    """What there is at one moment.

    Attributes:
        kept: Name and number of what must not grow.
        sizes: Name and bytes of what is reported only.
        shared: Top-level names in `/tmp`, where other programs write too.
    """

    kept: dict[str, int]
    sizes: dict[str, int]
    shared: frozenset[str]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--requests", type=int, default=10_000, help="default: 10000")
    parser.add_argument("--per-test", type=int, default=20, help="requests a test (default: 20)")
    parser.add_argument("--app", choices=[*SUBJECTS], default="flask", help="default: flask")
    parser.add_argument(
        "--shared-machine",
        action="store_true",
        help="new names in /tmp are listed but do not count: other programs write there too",
    )


def run(options: argparse.Namespace) -> int:
    """Send the requests, count and compare.

    Args:
        options: Of the command line.

    Returns:
        1 if anything grew, else 0.
    """
    token = uuid.uuid4().hex
    os.environ[_MARK] = token
    with _own_temporary_folder() as folder, open_bench(SUBJECTS[options.app]) as bench:
        _send(bench, _WARM_UP, options.per_test)
        before = _settled(bench, folder, token)
        started = time.monotonic()
        _send(bench, options.requests, options.per_test)
        elapsed = time.monotonic() - started
        after = _settled(bench, folder, token)
    print(
        f"\n{options.requests} requests in {elapsed:.0f} s, "
        f"{1000 * elapsed / options.requests:.1f} ms each"
    )
    left = marked(token.encode())
    return _compare(before, after, left, is_shared=options.shared_machine)


def _send(bench: Bench, count: int, per_test: int) -> None:
    for number in range(count):
        if number % per_test == 0:
            bench.stateless.reset()
        bench.stateless.get("/").raise_for_status()
    bench.stateless.reset()


@contextlib.contextmanager
def _own_temporary_folder() -> Iterator[Path]:
    """Have `tempfile` and everything started from here use a folder that nobody else does."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TMPDIR"] = folder
        tempfile.tempdir = None
        try:
            yield Path(folder)
        finally:
            del os.environ["TMPDIR"]
            tempfile.tempdir = None


def _settled(bench: Bench, folder: Path, token: str) -> _Counts:
    """Count until some counts in a row are the same: the spare instance takes a moment."""
    deadline = time.monotonic() + _SETTLE_TIMEOUT_S
    counts = _count(bench, folder, token)
    same = 0
    while same < _SETTLED and time.monotonic() < deadline:
        time.sleep(_SETTLE_S)
        following = _count(bench, folder, token)
        same = same + 1 if following.kept == counts.kept else 0
        counts = following
    return counts


def _count(bench: Bench, folder: Path, token: str) -> _Counts:
    zygote = zygote_pid(bench.platform)
    kept = {
        "processes: descendants": len(descendants(os.getpid())),
        "processes: with our mark": len(marked(token.encode())),
        "threads of this process": threading.active_count(),
        **_descriptors("descriptors of this process", os.getpid()),
        "mounts of the host": _lines("/proc/self/mountinfo"),
        "mounts of the zygote": _lines(f"/proc/{zygote}/mountinfo"),
        "files in our temporary folder": sum(1 for _ in folder.rglob("*")),
        **_descriptors("descriptors of the zygote", zygote),
        "children of the zygote": len(children(zygote)),
    }
    sizes = {
        "resident: this process": resident_bytes(os.getpid()),
        "resident: zygote": resident_bytes(zygote),
    }
    return _Counts(kept=kept, sizes=sizes, shared=frozenset(os.listdir("/tmp")))  # noqa: PTH208


def _descriptors(name: str, pid: int) -> dict[str, int]:
    """Count a process's descriptors, by kind."""
    kinds = dict.fromkeys(("sockets", "pipes", "files", "others"), 0)
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # the one that lists the folder
            kinds[_kind(str(path.readlink()))] += 1
    return {f"{name}: {kind}": number for kind, number in kinds.items()}


def _kind(target: str) -> str:
    if target.startswith("/"):
        return "files"
    return {"socket": "sockets", "pipe": "pipes"}.get(target.partition(":")[0], "others")


def _lines(path: str) -> int:
    return len(Path(path).read_bytes().splitlines())


def _compare(before: _Counts, after: _Counts, left: tuple[int, ...], *, is_shared: bool) -> int:
    grown = [name for name, number in after.kept.items() if number > before.kept[name]]
    rows = [
        (name, str(before.kept[name]), str(number), "GREW" if name in grown else "")
        for name, number in after.kept.items()
    ]
    rows += [
        (name, f"{before.sizes[name] // 1024} KiB", f"{size // 1024} KiB", "reported only")
        for name, size in after.sizes.items()
    ]
    print_table("counts", ("", "before", "after", ""), rows)
    new = sorted(after.shared - before.shared)
    print(f"  new in /tmp: {', '.join(new) or 'nothing'}{' (not judged)' if is_shared else ''}")
    if new and not is_shared:
        grown.append("names in /tmp")
    others = [pid for pid in left if pid != os.getpid()]
    print(f"  processes left after the end: {len(others)}")
    if others:
        grown.append("processes left after the end")
    print(f"  grown: {', '.join(grown) or 'nothing'}")
    return 1 if grown else 0
