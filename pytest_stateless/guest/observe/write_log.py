"""What was written in vain since the last drain, put together from attempts and exceptions.

An attempt is predicted from an audit event; an exception confirms it, tells whether the error
came out in first-party code, and stands in for an attempt that no audit event showed. Repeats
of one place (a retry loop, `Path.touch` with its two system calls) on one path are one write.

A write to the instance's own disk, which no exception follows, counts if the file is not at the
end what it was before the first of them: a scratch file that is removed again is no write. sqlite
may not have written yet what a statement has changed: that counts if there is anything in the file.
"""

from __future__ import annotations

import dataclasses
import itertools
import linecache
from _thread import get_ident
from typing import TYPE_CHECKING

from pytest_stateless.guest.observe.attempts import Attempt
from pytest_stateless.guest.observe.disk import has_changed, look_at
from pytest_stateless.guest.observe.failures import Failure, failure_in, full_path
from pytest_stateless.guest.observe.origins import innermost_side, place_of, read, stands_in
from pytest_stateless.guest.observe.paths import is_ordinary
from pytest_stateless.model.observation import Write
from pytest_stateless.model.place import innermost_first_party

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, TracebackType

    from pytest_stateless.guest.observe.disk import FileState, OwnDisk
    from pytest_stateless.guest.observe.origins import RawStack
    from pytest_stateless.guest.stack import StackReader
    from pytest_stateless.model.observation import Phase, WriteOutcome

MAX_WRITES = 200
_Key = tuple[str, object]
_Place = tuple["CodeType", int]


class _Seen:
    """A write, and what recognises its exception."""

    __slots__ = (
        "errors",
        "is_confirmed",
        "is_database",
        "is_hidden",
        "names",
        "place",
        "thread",
        "write",
    )

    def __init__(self, write: Write, attempt: Attempt, place: _Place | None) -> None:
        self.write = write
        self.names = attempt.names
        self.is_hidden = attempt.is_harmless
        self.is_database = attempt.is_database
        self.is_confirmed = False
        self.place = place
        self.thread = get_ident()
        self.errors: set[int] = set()

    def is_meant_by(self, failure: Failure, place: _Place | None) -> bool:
        if failure.kind == "full" or self.write.outcome == "full":
            is_alike = failure.kind == "full" and self.write.outcome == "full"
            return is_alike and id(failure.error) in self.errors
        if failure.names:
            return failure.names[-1] in self.names or failure.path == self.write.path
        if id(failure.error) in self.errors:
            return True
        is_here = self.thread == get_ident()
        if failure.is_database:
            # an error out of a thread is told in another one
            is_there = place is not None and _function_of(self.place) is place[0]
            return self.is_database and (is_here or is_there)
        return self.place == place


class WriteLog:
    """Collects refused and failed writes, and those to the instance's own disk.

    Args:
        reader: Reads stacks.

    Attributes:
        phase: What goes on now.
        database_path: The database on a read-only disk that was last connected to; sqlite's
            errors name none.
        is_kernel_refusal: Tells whether EACCES for a path means that it is read-only.
        disk: The instance's own, if it has one.
    """

    __slots__ = (
        "_before", "_reader", "_seen", "database_path", "disk", "is_kernel_refusal", "phase",
    )  # fmt: skip

    def __init__(self, reader: StackReader) -> None:
        self._reader = reader
        self._seen: dict[_Key, _Seen] = {}
        self._before: dict[str, FileState] = {}
        self.disk: OwnDisk | None = None
        self.phase: Phase = "start"
        self.database_path = ""
        self.is_kernel_refusal: Callable[[str], bool] = lambda _: False

    @property
    def is_empty(self) -> bool:
        """Whether nothing was seen since the last drain."""
        return not self._seen

    def attempted(self, attempt: Attempt, stack: RawStack) -> None:
        """Take down an attempt that the kernel is going to refuse, or to allow on the disk.

        Args:
            attempt: What is attempted.
            stack: Of the caller.
        """
        if attempt.outcome == "allowed" and attempt.path not in self._before:
            self._before[attempt.path] = look_at(attempt.path)
        self._add(attempt, stack, attempt.outcome)

    def raised(self, error: BaseException, stack: RawStack) -> None:
        """Take down an exception as it passes a frame.

        Args:
            error: Any exception.
            stack: Of the frame that it passes, innermost first.
        """
        failure = failure_in(error, self.is_kernel_refusal)
        if failure is None:
            self._reconsider(error)
            return
        seen = self._find(failure, stack) or self._add_failure(failure, stack)
        if seen is None:
            return
        self._confirm(seen, failure)
        if self._reader.owns(stack[0][0].co_filename):
            self._reach(seen, stack[0])

    def escaped(self, error: BaseException) -> None:
        """Take down an exception that left the app, or that the app logged.

        Args:
            error: The exception with its traceback.
        """
        failure = failure_in(error, self.is_kernel_refusal)
        if failure is None:
            return
        passed = _stack_of(error.__traceback__)
        if failure.error is not error:
            # a library has wrapped it, and only the wrapper got out to first-party code
            passed = (*_stack_of(failure.error.__traceback__), *passed)
        seen = self._find(failure, passed)
        if seen is None and passed:
            seen = self._add_failure(failure, passed)
        if seen is None:
            return
        self._confirm(seen, failure)
        seen.is_hidden = False
        own = next((place for place in passed if self._reader.owns(place[0].co_filename)), None)
        if own is not None:
            self._reach(seen, own)

    def drain(self) -> tuple[Write, ...]:
        """Forget what was seen.

        Returns:
            The writes, in order.
        """
        seen, self._seen = self._seen, {}
        before, self._before = self._before, {}
        after = {path: look_at(path) for path in before}
        came_true = {path for path in before if has_changed(before[path], after[path])}
        kept = {path for path in before if after[path].size_bytes > 0}
        return tuple(
            one.write
            for one in seen.values()
            if not one.is_hidden
            and (
                one.write.outcome != "allowed"
                or one.write.path in (kept if one.is_database else came_true)
            )
        )

    def _find(self, failure: Failure, stack: RawStack) -> _Seen | None:
        place = place_of(stack, self._reader)
        candidates = reversed(list(self._seen.values()))
        return next((one for one in candidates if one.is_meant_by(failure, place)), None)

    def _add_failure(self, failure: Failure, stack: RawStack) -> _Seen | None:
        if failure.kind == "related":
            return None
        path = failure.path
        if failure.kind == "full":
            path = full_path(failure, self.disk, tuple(self._before))
        if failure.is_database and failure.kind == "refused":
            path = self.database_path
        if not (path or failure.kind == "refused") or not is_ordinary(path):
            return None
        attempt = Attempt(
            operation=_source_of(stack) or f"{type(failure.error).__name__} of {path!r}",
            path=path,
            error=str(failure.error),
            names=failure.names,
            is_database=failure.is_database,
        )
        return self._add(attempt, stack, failure.kind)

    def _add(self, attempt: Attempt, stack: RawStack, outcome: WriteOutcome) -> _Seen | None:
        side = innermost_side(stack, self._reader)
        place = place_of(stack, self._reader)
        if side == "own" or len(self._seen) >= MAX_WRITES:
            return None
        key = (attempt.path, _function_of(place) if outcome == "full" else place)
        known = self._seen.get(key)
        if known is not None and not (known.is_hidden and not attempt.is_harmless):
            known.names += attempt.names
            return known
        write = Write(
            operation=attempt.operation,
            path=attempt.path,
            outcome=outcome,
            error=attempt.error,
            stack=read(stack, self._reader),
            reached_first_party=side != "library",
            phase=self.phase,
            is_on_disk=self.disk is not None and self.disk.has(attempt.path),
        )
        seen = self._seen[key] = _Seen(write, attempt, place)
        return seen

    def _confirm(self, seen: _Seen, failure: Failure) -> None:
        seen.errors.add(id(failure.error))
        if not seen.is_confirmed:
            seen.is_confirmed = True
            # the disk does not take everything: a file of somebody else's, say
            outcome = "refused" if seen.write.outcome == "allowed" else seen.write.outcome
            seen.write = dataclasses.replace(seen.write, outcome=outcome, error=str(failure.error))

    def _reach(self, seen: _Seen, place: _Place) -> None:
        """Take down that an error has come out in first-party code.

        Where the write has no first-party frame (it was handed to a thread, say), that is its
        anchor, unless a better one is found.

        Args:
            seen: The write.
            place: Where its error came out.
        """
        seen.write = dataclasses.replace(seen.write, reached_first_party=True)
        if seen.write.anchor is None and innermost_first_party(seen.write.stack) is None:
            seen.write = dataclasses.replace(seen.write, anchor=self._reader.of_code(*place))

    def _reconsider(self, error: BaseException) -> None:
        """Take back a prediction that the kernel answered otherwise, such as with EACCES."""
        if not isinstance(error, OSError) or not isinstance(error.filename, (str, bytes)):
            return
        for key, seen in list(self._seen.items())[-3:]:
            is_predicted = seen.write.outcome != "allowed"  # that is seen at the file
            is_first_answer = seen.thread == get_ident() and not seen.is_confirmed and is_predicted
            if is_first_answer and seen.names[-1:] == (error.filename,):
                del self._seen[key]


def _function_of(place: _Place | None) -> object:
    return place[0] if place else None


def _stack_of(traceback: TracebackType | None) -> RawStack:
    found: list[tuple[CodeType, int]] = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        found.append((code, traceback.tb_lineno or code.co_firstlineno))
        traceback = traceback.tb_next
    stack = reversed(found)
    return tuple(itertools.dropwhile(lambda place: stands_in(place[0]), stack))


def _source_of(stack: RawStack) -> str:
    place = next((one for one in stack if not stands_in(one[0])), None)
    if place is None:
        return ""
    code, line = place
    return linecache.getline(code.co_filename, line).strip()
