"""Finding out how an instance ended that did not answer, and where it was at that time.

The interpreter tells: faulthandler writes the stack to stderr on a fatal signal, and on the abort
that the zygote sends to an instance that has taken too long or too much memory.

Source: https://docs.python.org/3/library/faulthandler.html
"""

from __future__ import annotations

import linecache
import re
import time
from typing import TYPE_CHECKING

from pytest_stateless.errors import InstanceDiedError, RequestTimeoutError
from pytest_stateless.guest.stack import BOTTOM
from pytest_stateless.instance.handle import DeadlinePassed
from pytest_stateless.judge.limits import judge_memory, judge_timeout
from pytest_stateless.model.place import Frame, innermost_first_party
from pytest_stateless.report import crash
from pytest_stateless.session import relay
from pytest_stateless.wire.control import EXIT_CHANNEL_LOST, Signal

if TYPE_CHECKING:
    from pytest_stateless.instance.handle import InstanceGone, InstanceHandle, Steps
    from pytest_stateless.session.ledger import Entry
    from pytest_stateless.session.platform import Platform

_END_TIMEOUT_S = 30.0
_DUMP_HEADER = "Fatal Python error: "
_BOTTOM = re.compile(rf'^  File ".+", line \d+ in {BOTTOM}$', re.MULTILINE)
_DUMP_LINE = re.compile(r'^  File "(?P<path>.+)", line (?P<line>\d+) in (?P<function>.+)$')


class Autopsy:
    """The end of one instance within one exchange.

    Args:
        platform: Whose settings count.
        entry: The exchange; findings about its limits are noted there.
        handle: The instance; closed afterwards.
        stuck: Where its event loop was waiting when it last told.
    """

    def __init__(
        self,
        platform: Platform,
        entry: Entry,
        handle: InstanceHandle,
        *,
        stuck: tuple[Frame, ...] = (),
    ) -> None:
        self._stuck = stuck
        self._platform = platform
        self._entry = entry
        self._handle = handle

    def death(self, gone: InstanceGone, *, step: str = "") -> Steps[InstanceDiedError]:
        """Find out how an instance died.

        Args:
            gone: How it was noticed.
            step: What it was at, such as `its cold start`; empty while it served.

        Returns:
            The error to raise.
        """
        handle = self._handle
        if gone.garbage:
            handle.signal(Signal(instance=handle.number, action="kill"))
        try:
            exited = yield from handle.await_exit(time.monotonic() + _END_TIMEOUT_S)
        except DeadlinePassed:
            exited = None
        stack = self._take_dump(handle)
        stderr = tuple(handle.output.stderr.decode(errors="replace").splitlines())
        relay.relay_output(handle.output)
        handle.close()
        request = self._entry.context.request
        if exited is None:
            words = handle.parent.last_words().splitlines()
            return InstanceDiedError(f"{request}: {crash.format_zygote_death(None, words)}")
        self._platform.ledger.note_leftovers(handle.number, exited.survivors)
        what = crash.Crash(request=request, status=exited.status, stderr=stderr, step=step)
        if exited.peak_bytes:
            limit = self._platform.settings.platform.memory_bytes
            finding = judge_memory(
                exited.peak_bytes,
                context=self._entry.context,
                place=innermost_first_party(stack) or self._platform.app_place,
                was_killed=True,
            )
            if finding is not None:
                self._entry.limits.append(finding)
            return InstanceDiedError(
                crash.format_memory_kill(what, limit_bytes=limit, peak_bytes=exited.peak_bytes)
            )
        if gone.garbage:
            return InstanceDiedError(
                crash.format_garbage(request, shown=gone.garbage, stderr=stderr)
            )
        if exited.status == EXIT_CHANNEL_LOST << 8:
            return InstanceDiedError(crash.format_lost_connection(what))
        return InstanceDiedError(crash.format_death(what))

    def timeout(self, limit_s: float) -> Steps[RequestTimeoutError]:
        """End an instance that has taken too long, and find out where it hung.

        Args:
            limit_s: How long it had, in seconds.

        Returns:
            The error to raise.
        """
        handle = self._handle
        exited = yield from self._platform.fleet.abort(handle)
        if exited is not None:
            self._platform.ledger.note_leftovers(handle.number, exited.survivors)
        stack = self._take_dump(handle)
        if innermost_first_party(stack) is None:
            stack = self._stuck or stack
        relay.relay_output(handle.output)
        handle.close()
        platform = self._platform.settings.platform
        self._entry.limits.append(
            judge_timeout(
                limit_s,
                context=self._entry.context,
                stack=stack,
                app_place=self._platform.app_place,
            )
        )
        own = [frame for frame in stack if frame.is_first_party or frame is stack[0]]
        shown = "\n".join(f"{frame.path}:{frame.line} in {frame.function}" for frame in own)
        return RequestTimeoutError(
            crash.format_timeout(
                self._entry.context.request,
                timeout_s=limit_s,
                platform=platform.name,
                stack=shown,
                missing_threads=handle.parent.threads,
            )
        )

    def _take_dump(self, handle: InstanceHandle) -> tuple[Frame, ...]:
        """Cut faulthandler's dump out of stderr, where only the user's frames shall stay."""
        text = handle.output.stderr.decode(errors="replace")
        before, header, dump = text.rpartition(_DUMP_HEADER)
        if not header:
            return ()
        what, _, rest = dump.partition("\n")
        stack = self._read_dump(rest)
        lines = [f"  File {frame.path}:{frame.line} in {frame.function}" for frame in stack]
        is_asked_for = what.strip() == "Aborted"
        tidy = before if is_asked_for else "\n".join([before + header + what, *lines, ""])
        handle.output.stderr[:] = tidy.encode()
        return stack

    def _read_dump(self, dump: str) -> tuple[Frame, ...]:
        """Read the stack of the thread that ran the user's code, the current one by preference."""
        # below our own entry are, in a fork of the test process, the frames of the test
        threads = [_BOTTOM.split(text, maxsplit=1)[0] for text in dump.split("\n\n")]
        threads.sort(key=lambda text: not text.lstrip().startswith("Current thread"))
        stacks = [self._read_thread(text) for text in threads]
        own = (stack for stack in stacks if innermost_first_party(stack) is not None)
        return next(own, stacks[0])

    def _read_thread(self, text: str) -> tuple[Frame, ...]:
        matches = (_DUMP_LINE.match(line) for line in text.splitlines())
        return tuple(
            Frame(
                path=match["path"],
                line=int(match["line"]),
                function=match["function"],
                is_first_party=self._platform.boundary.owns_file(match["path"]),
                source=linecache.getline(match["path"], int(match["line"])).strip(),
            )
            for match in matches
            if match is not None
            and "/pytest_stateless/" not in match["path"]
            and match["path"] != "<string>"
        )
