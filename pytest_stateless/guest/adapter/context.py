"""The context object of a Lambda invocation, and the environment of a Lambda instance.

Source: https://docs.aws.amazon.com/lambda/latest/dg/python-context.html and
https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html.
"""

from __future__ import annotations

import os
import sys
import time
import uuid
from types import SimpleNamespace
from typing import TYPE_CHECKING

from pytest_stateless.errors import AdapterError
from pytest_stateless.model.quantity import MB

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_stateless.model.api_gateway import Json

_ACCOUNT = "123456789012"
_clock = time.monotonic  # taken now: an app may replace the clock while it handles an event

OVERRIDES = (
    "function_name",
    "function_version",
    "invoked_function_arn",
    "memory_limit_in_mb",
    "aws_request_id",
    "log_group_name",
    "log_stream_name",
    "identity",
    "client_context",
)
"""What a caller may set on the context."""


class LambdaContext:
    """What a handler gets as its second argument.

    Args:
        request_id: Of the invocation.
        timeout_s: Seconds until the platform gives up, counted from now.
        overrides: Attributes that the caller sets; `identity` and `client_context` as objects.

    Raises:
        AdapterError: An override is no attribute of a context.
    """

    def __init__(
        self, request_id: str, timeout_s: float, overrides: Mapping[str, Json] | None = None
    ) -> None:
        environ = os.environ
        self._deadline = _clock() + timeout_s
        self.function_name: object = environ.get("AWS_LAMBDA_FUNCTION_NAME", "function")
        self.function_version: object = environ.get("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        region = environ.get("AWS_REGION", "us-east-1")
        self.invoked_function_arn: object = (
            f"arn:aws:lambda:{region}:{_ACCOUNT}:function:{self.function_name}"
        )
        self.memory_limit_in_mb: object = environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        self.aws_request_id: object = request_id
        self.log_group_name: object = environ.get("AWS_LAMBDA_LOG_GROUP_NAME", "")
        self.log_stream_name: object = environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "")
        self.identity: object = SimpleNamespace(
            cognito_identity_id=None, cognito_identity_pool_id=None
        )
        self.client_context: object = None
        self._override(overrides or {})

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds that are left, as the platform counts them."""
        return max(0, int((self._deadline - _clock()) * 1000))

    def log(self, message: object) -> None:
        """Write a message to the log, as it is."""
        sys.stdout.write(str(message))

    def __repr__(self) -> str:
        shown = ",".join(f"{name}={getattr(self, name)!r}" for name in OVERRIDES)
        return f"LambdaContext([{shown}])"

    def _override(self, overrides: Mapping[str, Json]) -> None:
        for name, value in overrides.items():
            if name not in OVERRIDES:
                raise AdapterError(
                    f"a Lambda context has no attribute {name!r} to set; there are: "
                    f"{', '.join(OVERRIDES)}"
                )
            if name == "client_context" and isinstance(value, dict):
                self.client_context = _client_context(value)
            elif name == "identity" and isinstance(value, dict):
                self.identity = SimpleNamespace(**{**vars(self.identity), **value})
            elif name == "memory_limit_in_mb":
                self.memory_limit_in_mb = str(value)
            else:
                setattr(self, name, value)


def lambda_environment(*, memory_bytes: int, handler: str, cwd: str) -> dict[str, str]:
    """Return the variables that differ from one Lambda instance to the next.

    Args:
        memory_bytes: What the platform gives.
        handler: The app reference as the user wrote it, such as `shop.app:main`.
        cwd: The project's folder, which stands for `/var/task`.

    Returns:
        Names and values; the log stream is a new one at each call.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    day = time.strftime("%Y/%m/%d", time.gmtime())
    return {
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{version}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(max(1, memory_bytes // MB)),
        "AWS_LAMBDA_LOG_STREAM_NAME": f"{day}/[$LATEST]{uuid.uuid4().hex}",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "LAMBDA_TASK_ROOT": cwd,
        "_HANDLER": handler.removeprefix("lambda:").replace(":", "."),
    }


def _client_context(value: dict[str, Json]) -> SimpleNamespace:
    client = value.get("client")
    return SimpleNamespace(
        client=SimpleNamespace(**client) if isinstance(client, dict) else client,
        custom=value.get("custom"),
        env=value.get("env"),
    )
