"""Every exception of the package, in one tree.

Exceptions are about us or about wrong use. What the tool finds in the user's app is a value
(`pytest_stateless.model.finding`), with one exception at the edge: `CheckFailed`, which turns
findings into a test failure.

    StatelessError
    ├── ConfigurationError        an option, marker or call that cannot be what was meant
    ├── AdapterError              the app breaks its own calling convention
    ├── InstanceError             an instance did not answer
    │   ├── ColdStartError            it never became ready (import, factory, lifespan)
    │   ├── InstanceDiedError         its process ended before the answer was complete
    │   └── RequestTimeoutError       it took longer than the platform allows
    ├── ServiceError              a service could not be started, put back or asked
    ├── ProtocolError             bytes on our own sockets that are no message of ours
    ├── SandboxError
    │   ├── SandboxUnavailableError   this machine refuses the isolation
    │   └── SandboxSetupError         an operation of the sealing plan failed
    └── InternalError             a bug of this package ("please report")
    CheckFailed (AssertionError)  findings, as the failure of a test
    StatelessWarning (UserWarning)    a test may not test what it seems to
"""

from __future__ import annotations

import errno as errno_names
import os
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pytest_stateless.model.finding import Finding


class StatelessError(Exception):
    """The root of this package's errors."""


class ConfigurationError(StatelessError):
    """An option, a marker or a call has a value that cannot be what was meant."""


class AdapterError(StatelessError):
    """The app answered against its calling convention (WSGI, ASGI, Lambda)."""


class InstanceError(StatelessError):
    """An instance did not answer a request."""


class ColdStartError(InstanceError):
    """An instance never became ready: the app's import, factory, set-up or lifespan failed.

    Args:
        message: What failed, the app, and the instance's traceback cut to the user's frames.
        findings: What was found on the way, such as the refused write that broke the import.
    """

    def __init__(self, message: str, findings: tuple[Finding, ...] = ()) -> None:
        super().__init__(message)
        self.findings = findings


class InstanceDiedError(InstanceError):
    """The process of an instance ended before its answer was complete."""


class RequestTimeoutError(InstanceError):
    """A request took longer than the platform allows; its instance was killed."""


class ServiceError(StatelessError):
    """A service could not be started, put back or asked, or it has ended by itself."""


class ProtocolError(StatelessError):
    """Bytes on one of our own sockets are no message of ours."""


class SandboxError(StatelessError):
    """Sealing an instance is impossible or failed."""


class SandboxUnavailableError(SandboxError):
    """This machine refuses the isolation that was asked for."""


class SandboxSetupError(SandboxError):
    """One operation of the sealing plan failed, or the seal did not hold when it was proved.

    Args:
        operation: The operation of the plan, in words.
        syscall: The system call that failed.
        errno: Its error number, see errno(3); 0 where the proof itself failed.
    """

    def __init__(self, operation: str, syscall: str, errno: int) -> None:
        name = errno_names.errorcode.get(errno, "no error")
        super().__init__(f"{operation}: {syscall} failed: [{name}] {os.strerror(errno)}")
        self.operation = operation
        self.syscall = syscall
        self.errno = errno


class InternalError(StatelessError):
    """A bug of pytest-stateless; please report it with the traceback."""


class StatelessWarning(UserWarning):
    """A test may not test what it seems to: what it has set up does not reach its instances."""


class CheckFailed(AssertionError):  # noqa: N818 (the public name that reads well in a report)
    """Findings, as the failure of a test.

    Args:
        message: The report, its first line naming the first finding.
        verdict: `"violated"`, or `"inconclusive"` where nothing can be said.
        findings: What was found, the first cause first.
    """

    def __init__(
        self,
        message: str,
        *,
        verdict: Literal["violated", "inconclusive"],
        findings: tuple[Finding, ...],
    ) -> None:
        super().__init__(message)
        self.verdict = verdict
        self.findings = findings
