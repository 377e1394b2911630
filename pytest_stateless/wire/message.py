"""Any message that crosses a process boundary."""

from __future__ import annotations

from pytest_stateless.wire.cloud import (
    AwsAnswer,
    AwsCall,
    CloudFailed,
    CountCalls,
    Counted,
    ForkWorker,
    Holding,
    Look,
    Looked,
    Serving,
    TakeSnapshot,
)
from pytest_stateless.wire.control import (
    Exited,
    Fork,
    Preload,
    Preloaded,
    Ready,
    Signal,
    Unavailable,
)
from pytest_stateless.wire.measured import Measured
from pytest_stateless.wire.messages import (
    Begin,
    Call,
    Disconnect,
    Done,
    Invoke,
    Learnt,
    Log,
    Raised,
    RequestBody,
    ResponseBody,
    ResponseStart,
    Returned,
    Sealed,
    SealFailed,
    Serve,
    Start,
    Started,
    StartFailed,
    Stuck,
    Warned,
)

Message = (
    Preload
    | Fork
    | Signal
    | Ready
    | Unavailable
    | Preloaded
    | Exited
    | Begin
    | Start
    | Serve
    | RequestBody
    | Invoke
    | Call
    | Disconnect
    | Sealed
    | SealFailed
    | Started
    | StartFailed
    | Learnt
    | ResponseStart
    | ResponseBody
    | Returned
    | Raised
    | Stuck
    | Log
    | Warned
    | Measured
    | Done
    | ForkWorker
    | TakeSnapshot
    | CountCalls
    | Look
    | Looked
    | Serving
    | Holding
    | Counted
    | CloudFailed
    | AwsCall
    | AwsAnswer
)
"""Any message."""
