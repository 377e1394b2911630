"""Where the time of one cold request goes, from the call of `get` to its return.

The first table cuts one request at the messages that cross a process boundary: its rows add up
to the whole. The second is what runs beside it: the zygote makes the next spare instance and
buries the last one. The third is what single functions cost, where they are called within a
request; they overlap. Medians; processor time and page faults beside the wall's time, which
depends on what else the machine does. This benchmark looks into internals, and guides; it has no
target.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.bench import SUBJECTS, open_bench
from benchmarks.measure import Samples, milliseconds, print_table
from benchmarks.tracing import (
    GUEST_FUNCTIONS,
    NOTES,
    ZYGOTE_FUNCTIONS,
    Span,
    noted,
    traced_zygotes,
    wrap,
)
from pytest_stateless.instance.handle import InstanceHandle

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from benchmarks.bench import Bench
    from benchmarks.tracing import Listener
    from pytest_stateless.wire.message import Message

_PAUSE_S = 0.03
_WARM_UP = 3

HOST_FUNCTIONS = (
    ("pytest_stateless.session.platform", "Platform.converse", "converse"),
    ("pytest_stateless.session.platform", "Platform.prepare", "prepare"),
    ("pytest_stateless.session.provision", "seal", "provision: seal"),
    ("pytest_stateless.session.provision", "begin", "provision: begin"),
    ("pytest_stateless.session.transport", "caller_place", "place of the caller"),
    ("pytest_stateless.instance.fleet", "Fleet.acquire", "acquire"),
    ("pytest_stateless.instance.fleet", "Fleet.prepare_spare", "prepare the spare"),
    ("pytest_stateless.instance.fleet", "Fleet.remember", "remember compiled code"),
    ("pytest_stateless.instance.fleet", "Fleet.retire", "retire"),
    ("pytest_stateless.instance.handle", "encode", "host: encode"),
    ("pytest_stateless.session.relay", "relay_output", "relay output"),
    ("pytest_stateless.session.conversation", "judge_payload", "judge the payload"),
)

# Moments of one request in order, each with what ends at it.
_CUTS = (
    ("host: post Start", "host: client, provision, acquire"),
    ("receive Start", "on the way: Start"),
    ("load the app <", "instance: begin to observe"),
    ("load the app >", "instance: import of the app"),
    ("send Started", "instance: adapter"),
    ("host: got Started", "on the way: Started"),
    ("receive RequestBody", "on the way: Serve"),
    ("observer: finish <", "instance: serve"),
    ("send Done", "instance: observe"),
    ("host: got Done", "on the way: Done"),
    ("host: returned", "host: complete, release, client"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--requests", type=int, default=100, help="default: 100")
    parser.add_argument("--app", choices=[*SUBJECTS], action="append", help="default: all")
    parser.add_argument(
        "--back-to-back", action="store_true", help="no pause for the spare instance"
    )


def run(options: argparse.Namespace) -> int:
    """Measure and print.

    Args:
        options: Of the command line.

    Returns:
        0.
    """
    for module, path, name in HOST_FUNCTIONS:
        wrap(module, path, name)
    _trace_handles()
    with traced_zygotes() as listener:
        for app in options.app or SUBJECTS:
            pause_s = 0.0 if options.back_to_back else _PAUSE_S
            with open_bench(SUBJECTS[app]) as bench:
                phases = _Phases()
                for number in range(_WARM_UP + options.requests):
                    spans = _take(bench, listener, pause_s)
                    if number >= _WARM_UP:
                        phases.add(spans)
            print(f"\n{SUBJECTS[app].title}, {options.requests} requests")
            phases.show()
    return 0


def _trace_handles() -> None:
    """Note when the host posts a message and when one arrives."""
    post, pull = InstanceHandle.post, InstanceHandle._pull_channel  # noqa: SLF001 (a trace)

    def traced_post(self: InstanceHandle, message: Message) -> None:
        NOTES.moment(f"host: post {type(message).__name__}")
        post(self, message)

    def traced_pull(self: InstanceHandle) -> None:
        known = len(self._inbox)
        pull(self)
        for message in list(self._inbox)[known:]:
            NOTES.moment(f"host: got {type(message).__name__}")

    InstanceHandle.post = traced_post  # type: ignore[method-assign]
    InstanceHandle._pull_channel = traced_pull  # type: ignore[method-assign]  # noqa: SLF001


def _take(bench: Bench, listener: Listener, pause_s: float) -> list[Span]:
    """Send one request.

    Args:
        bench: The platform.
        listener: Where notes arrive.
        pause_s: How long to wait before.

    Returns:
        The notes since the last call: of the request, of its instance's seal before, and of the
        zygote meanwhile.
    """
    bench.stateless.reset()
    time.sleep(pause_s)
    NOTES.moment("host: called")
    noted(bench.stateless.get, "the whole request")("/")
    NOTES.moment("host: returned")
    if pause_s:
        time.sleep(pause_s)  # what the zygote does beside is over
    return listener.take()


class _Phases:
    """The notes of many requests, by what they are about."""

    def __init__(self) -> None:
        self._within: defaultdict[str, _Cost] = defaultdict(_Cost)
        self._cuts: defaultdict[str, _Cost] = defaultdict(_Cost)
        self._beside: defaultdict[str, _Cost] = defaultdict(_Cost)
        self._count = 0

    def add(self, spans: list[Span]) -> None:
        """Take in what was noted around one request."""
        called = _moment(spans, "host: called")
        returned = _moment(spans, "host: returned")
        served = [span.instance for span in spans if span.name == "send Done"]
        if len(served) != 1:  # notes are still on their way, those of the next come with them
            return
        self._count += 1
        mine = [span for span in spans if span.instance in {0, served[0]}]
        self._add_cuts([span for span in mine if span.end_s >= called])
        self._add_beside(spans)
        for span in mine:
            is_within = called <= span.start_s and span.end_s <= returned
            if span.end_s > span.start_s and is_within:
                self._within[span.name].add(span)

    def _add_cuts(self, spans: list[Span]) -> None:
        before = _moment(spans, "host: called")
        for name, what in _CUTS:
            plain = name.removesuffix(" <").removesuffix(" >")
            found = [span for span in spans if span.name == plain and span.end_s >= before]
            if found:
                moment = found[-1].start_s if name.endswith(" <") else found[-1].end_s
                self._cuts[what].wall.values_s.append(moment - before)
                before = moment

    def _add_beside(self, spans: list[Span]) -> None:
        for _, _, name in ZYGOTE_FUNCTIONS:
            for span in spans:
                if span.name == name and span.instance == 0:
                    self._beside[name].add(span)
        born = {span.instance: span for span in spans if span.name == "live"}
        for span in spans:
            start = born.get(span.instance)
            if span.name == "send Sealed" and start is not None:
                self._beside["instance: seal and prove"].add(_between(start, span))

    def show(self) -> None:
        """Print the tables."""
        whole = self._within["the whole request"].wall.median_s
        rows = [
            (what, milliseconds(wall), f"{100 * wall / whole:.0f} %")
            for _, what in _CUTS
            if what in self._cuts
            for wall in (self._cuts[what].wall.median_s,)
        ]
        rows.append(("the whole request", milliseconds(whole), "100 %"))
        print_table("one request, in order", ("", "median ms", "share"), rows)
        self._show_costs("beside it", self._beside, tuple(self._beside))
        names = tuple(name for _, _, name in (*HOST_FUNCTIONS, *GUEST_FUNCTIONS))
        self._show_costs("functions, within a request", self._within, names)

    def _show_costs(self, title: str, costs: Mapping[str, _Cost], names: tuple[str, ...]) -> None:
        rows = [
            (
                name,
                milliseconds(costs[name].wall.median_s),
                milliseconds(costs[name].cpu.median_s),
                f"{statistics.median(costs[name].faults):.0f}",
                f"{len(costs[name].faults) / self._count:.1f}",
            )
            for name in names
            if name in costs
        ]
        header = ("", "median ms", "processor ms", "page faults", "calls a request")
        print_table(title, header, rows)


@dataclass(slots=True, kw_only=True)
class _Cost:
    """What the calls of one function took."""

    wall: Samples = field(default_factory=Samples)
    cpu: Samples = field(default_factory=Samples)
    faults: list[int] = field(default_factory=list)

    def add(self, span: Span) -> None:
        self.wall.values_s.append(span.end_s - span.start_s)
        self.cpu.values_s.append(span.cpu_s)
        self.faults.append(span.faults)


def _between(start: Span, end: Span) -> Span:
    """Make one span of two moments."""
    return Span(
        instance=end.instance,
        name=f"{start.name} .. {end.name}",
        start_s=start.start_s,
        end_s=end.start_s,
        cpu_s=end.cpu_s - start.cpu_s,
        faults=end.faults - start.faults,
    )


def _moment(spans: list[Span], name: str) -> float:
    return next(span.start_s for span in spans if span.name == name)
