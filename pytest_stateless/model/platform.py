"""Platform profiles: the limits and habits of real serverless platforms, as data.

Each number has its source beside it, read in 2026. A limit of None means that the platform has
none, or none that a test could meet.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from pytest_stateless.errors import ConfigurationError
from pytest_stateless.model.quantity import GB, MB

if TYPE_CHECKING:
    from collections.abc import Mapping

Writes = Literal["refuse", "discard"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformProfile:
    """What one platform gives an instance.

    Attributes:
        name: As users write it.
        tmp_bytes: Size of `/tmp`.
        request_bytes: Largest request body that reaches the app.
        response_bytes: Largest response body that leaves it.
        timeout_s: Longest time to answer, in seconds.
        memory_bytes: Memory of one instance.
        writes: What becomes of writes outside `/tmp`: refused, or discarded with their instance.
        environment: Variables that the platform sets, where the user has not.
        runs_lambda: Whether an instance is one of AWS Lambda's, whose further variables differ
            from instance to instance.
        sources: Where the numbers are from.
    """

    name: str
    tmp_bytes: int
    request_bytes: int | None
    response_bytes: int | None
    timeout_s: float
    memory_bytes: int
    writes: Writes = "refuse"
    environment: tuple[tuple[str, str], ...] = ()
    runs_lambda: bool = False
    sources: tuple[str, ...] = ()

    @property
    def disk_bytes(self) -> int:
        """Size of an instance's own disk, where writes outside `/tmp` are discarded.

        It is kept in memory, as all files are on Cloud Run, where an instance that runs out of it
        is ended. Half is what Cloud Run gives a volume in memory by itself.

        Source: https://cloud.google.com/run/docs/configuring/services/in-memory-volume-mounts
        """
        return self.memory_bytes // 2


_LAMBDA_ENVIRONMENT = (
    ("AWS_REGION", "us-east-1"),
    ("AWS_DEFAULT_REGION", "us-east-1"),
    ("AWS_LAMBDA_FUNCTION_NAME", "function"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
    ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
    ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/function"),
)
"""The documented variables whose value is the same in every instance; the sizes and the log
stream are filled in by the instance."""

PROFILES: Mapping[str, PlatformProfile] = MappingProxyType({
    profile.name: profile
    for profile in (
        PlatformProfile(
            name="aws-lambda",
            tmp_bytes=512 * MB,
            request_bytes=6 * MB,
            response_bytes=6 * MB,
            timeout_s=30.0,
            memory_bytes=1024 * MB,
            environment=_LAMBDA_ENVIRONMENT,
            runs_lambda=True,
            sources=(
                # /tmp 512 MB by default; payload 6 MB each for request and response
                "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html",
                # 30 s: the integration time-out of an HTTP API, which is what answers requests
                "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html",
                "https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html",
            ),
        ),
        PlatformProfile(
            name="cloud-run",
            # /tmp is in memory and counts against it: half is a fair limit of its own
            tmp_bytes=256 * MB,
            request_bytes=32 * MB,
            response_bytes=32 * MB,
            timeout_s=300.0,
            memory_bytes=512 * MB,
            writes="discard",
            environment=(
                ("K_SERVICE", "service"),
                ("K_REVISION", "service-00001"),
                ("K_CONFIGURATION", "service"),
                ("PORT", "8080"),
            ),
            sources=(
                "https://cloud.google.com/run/quotas",
                # the whole filesystem is writable, in memory, and gone with the instance
                "https://cloud.google.com/run/docs/container-contract",
            ),
        ),
        PlatformProfile(
            name="vercel",
            tmp_bytes=500 * MB,
            request_bytes=int(4.5 * MB),
            response_bytes=int(4.5 * MB),
            timeout_s=300.0,
            memory_bytes=2 * GB,
            environment=(("VERCEL", "1"), ("VERCEL_ENV", "production"), ("VERCEL_REGION", "iad1")),
            sources=("https://vercel.com/docs/functions/limitations",),
        ),
        PlatformProfile(
            name="cyclic",
            tmp_bytes=512 * MB,
            request_bytes=6 * MB,
            response_bytes=6 * MB,
            timeout_s=30.0,
            memory_bytes=1024 * MB,
            environment=_LAMBDA_ENVIRONMENT,
            runs_lambda=True,
            # closed in 2024; it ran apps on AWS Lambda behind an API Gateway, with its limits
            sources=("https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html",),
        ),
    )
})


def find_profile(name: str) -> PlatformProfile:
    """Look a platform up.

    Args:
        name: Such as `aws-lambda`.

    Returns:
        Its profile.

    Raises:
        ConfigurationError: There is no such platform.
    """
    try:
        return PROFILES[name]
    except KeyError:
        raise ConfigurationError(
            f"platform {name!r} is not known; choose one of {', '.join(PROFILES)}"
        ) from None
