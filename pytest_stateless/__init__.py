"""A pytest plugin that serves each test request from a fresh, sealed instance.

Importing it costs next to nothing, because pytest does so in every run: of the names below only
the errors are there at once, each other one is imported when it is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from pytest_stateless.errors import (
    AdapterError,
    CheckFailed,
    ColdStartError,
    ConfigurationError,
    InstanceDiedError,
    InstanceError,
    InternalError,
    ProtocolError,
    RequestTimeoutError,
    SandboxError,
    SandboxSetupError,
    SandboxUnavailableError,
    ServiceError,
    StatelessError,
    StatelessWarning,
)

if TYPE_CHECKING:
    from pytest_stateless.model.exchange import Exchange, LogRecord
    from pytest_stateless.model.finding import Finding
    from pytest_stateless.model.observed import Volatile
    from pytest_stateless.model.rule import RULES, Rule, Severity
    from pytest_stateless.session.stateless import Stateless

__all__ = [
    "RULES",
    "AdapterError",
    "CheckFailed",
    "ColdStartError",
    "ConfigurationError",
    "Exchange",
    "Finding",
    "InstanceDiedError",
    "InstanceError",
    "InternalError",
    "LogRecord",
    "ProtocolError",
    "RequestTimeoutError",
    "Rule",
    "SandboxError",
    "SandboxSetupError",
    "SandboxUnavailableError",
    "ServiceError",
    "Severity",
    "Stateless",
    "StatelessError",
    "StatelessWarning",
    "Volatile",
]


_MODELS = {
    "Exchange": "exchange",
    "Finding": "finding",
    "LogRecord": "exchange",
    "RULES": "rule",
    "Rule": "rule",
    "Severity": "rule",
    "Volatile": "observed",
}


def __getattr__(name: str) -> object:
    if name == "Stateless":
        from pytest_stateless.session.stateless import Stateless  # noqa: PLC0415 (heavy)

        return Stateless
    if name in _MODELS:
        return getattr(importlib.import_module(f"pytest_stateless.model.{_MODELS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
