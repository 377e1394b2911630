"""AWS as a service: its endpoint, its state, and clients of it for the test."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pytest_stateless.errors import ServiceError
from pytest_stateless.forkserver.cloud.handle import CloudHandle
from pytest_stateless.service.aws.observe import OBSERVERS
from pytest_stateless.wire.cloud import AwsRoute

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_stateless.forkserver.cloud.handle import CloudState
    from pytest_stateless.model.observed import Observed

REGION = "us-east-1"
"""Where nothing else is set."""
_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
}


class Aws:
    """A small AWS of the session's own: S3, DynamoDB, SQS, SNS, and what else moto knows.

    Each test finds it as it was when the fixtures of the class, module and session were done.
    """

    name = "aws"

    def __init__(self) -> None:
        self._cloud = CloudHandle()
        self._observers: dict[str, Callable[[Aws], Observed]] = {}
        self._session: Any = None

    # for the test

    @property
    def endpoint_url(self) -> str:
        """The HTTP endpoint of all of its services, for whoever is not told by the environment."""
        return f"http://127.0.0.1:{self._cloud.port}"

    def client(self, name: str, **kwargs: Any) -> Any:  # noqa: ANN401 (boto3 has no types)
        """Make a client.

        Args:
            name: Of the service, as `boto3.client` takes it.
            kwargs: What else `boto3.client` takes.

        Returns:
            The client.
        """
        return self._boto3().client(name, **{"endpoint_url": self.endpoint_url, **kwargs})

    def resource(self, name: str, **kwargs: Any) -> Any:  # noqa: ANN401 (boto3 has no types)
        """Make a resource.

        Args:
            name: Of the service, as `boto3.resource` takes it.
            kwargs: What else `boto3.resource` takes.

        Returns:
            The resource.
        """
        return self._boto3().resource(name, **{"endpoint_url": self.endpoint_url, **kwargs})

    def observe_with(self, name: str, function: Callable[[Aws], Observed]) -> None:
        """Have one more of its services observed.

        Args:
            name: Of the service, the key in what `observe` returns; what was observed under this
                name before is not.
            function: Called with this object; returns what the service holds, made of texts,
                numbers, lists and dictionaries, with `Volatile` around what differs from run
                to run.

        """
        self._observers[name] = function

    # as a service

    def environment(self) -> Mapping[str, str]:
        """Return the variables by which AWS's own libraries find it.

        Source: https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
        """
        region = os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION") or REGION
        return {
            **_CREDENTIALS,
            "AWS_DEFAULT_REGION": region,
            "AWS_REGION": region,
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
            "AWS_EC2_METADATA_DISABLED": "true",
            # whoever runs the suite may have credentials, and a default profile
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    @property
    def route(self) -> AwsRoute:
        """Where instances' calls are answered without HTTP."""
        return AwsRoute(port=self._cloud.calls_port, endpoint=self.endpoint_url)

    def count(self) -> int:
        """Return how many calls have come since it was last put back.

        Raises:
            ServiceError: It is gone.
        """
        return self._cloud.count()

    def look(self, name: str) -> Observed:
        """Return what a service holds of which no call tells without changing it.

        Args:
            name: `sqs` or `sns`.

        Raises:
            ServiceError: It is gone.
        """
        return self._cloud.look(name)

    def snapshot(self) -> CloudState:
        """Remember what it holds, `Service.snapshot`.

        Raises:
            ServiceError: It is gone, or a call is still being answered.
        """  # noqa: DOC201 (the summary says where)
        return self._cloud.snapshot()

    def restore(self, state: CloudState) -> None:
        """Put it back, `Service.restore`.

        Args:
            state: What `snapshot` returned.

        Raises:
            ServiceError: That did not work.
        """
        self._cloud.restore(state)

    def forget(self, state: CloudState) -> None:
        """Let go of a state, `Service.forget`.

        Args:
            state: What `snapshot` returned.
        """
        self._cloud.forget(state)

    @property
    def empty(self) -> CloudState:
        """What it held when it was started: nothing."""
        return self._cloud.empty

    def observe(self) -> Observed:
        """Return what it holds, by service, `Service.observe`.

        Raises:
            ServiceError: One of its services does not answer.
        """
        try:
            return {
                name: function(self)
                for name, function in sorted({**OBSERVERS, **self._observers}.items())
            }
        except Exception as error:
            raise ServiceError(f"AWS (moto) cannot be observed: {error}") from error

    def close(self) -> None:
        """End it."""
        self._cloud.close()

    def _boto3(self) -> Any:  # noqa: ANN401 (boto3 has no types)
        if self._session is None:
            try:
                import boto3  # noqa: PLC0415 (optional, and heavy)
            except ImportError as error:
                raise ServiceError(
                    "stateless_aws needs boto3, which is not installed; "
                    "install pytest-stateless[aws]"
                ) from error
            environment = self.environment()
            self._session = boto3.Session(
                aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
                aws_session_token=environment["AWS_SESSION_TOKEN"],
                region_name=environment["AWS_DEFAULT_REGION"],
            )
        return self._session
