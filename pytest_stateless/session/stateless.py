"""The object behind the fixture `stateless`."""

from __future__ import annotations

import contextlib
import functools
import json
import pickle
import uuid
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

import httpx2

from pytest_stateless.errors import ConfigurationError, InstanceError
from pytest_stateless.instance.drive import run
from pytest_stateless.session.caller import caller_place
from pytest_stateless.session.provision import log_levels
from pytest_stateless.session.transport import (
    BASE_URL,
    AsyncTransport,
    Transport,
    judge_request_size,
)
from pytest_stateless.wire.messages import Call, Invoke

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from pytest_stateless.model.exchange import Exchange
    from pytest_stateless.model.finding import Finding
    from pytest_stateless.session.platform import Platform

P = ParamSpec("P")
T = TypeVar("T")


class Stateless:
    """A small serverless platform for the app under test.

    Every request, event and call is served by a fresh instance: a new interpreter with a
    read-only filesystem and an empty `/tmp`. It is reset before each test and each Hypothesis
    example.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._client: httpx2.Client | None = None

    # clients

    @property
    def client(self) -> httpx2.Client:
        """The test's own client: an ordinary `httpx2.Client`, with cookies that last the test."""
        if self._client is None:
            self._client = self.new_client()
        return self._client

    def new_client(self, *, base_url: str = BASE_URL, **options: Any) -> httpx2.Client:  # noqa: ANN401
        """Make another client: another user, with cookies of its own.

        Args:
            base_url: Scheme and host that the app is asked as.
            options: Of `httpx2.Client`: `headers`, `cookies`, `follow_redirects`, ... There is
                no `timeout` unless you give one, the platform has its own; and a `Referer`, as
                of a form on the app's first page.

        Returns:
            The client.
        """
        transport = Transport(self._platform, self._open_for(base_url))
        return httpx2.Client(transport=transport, base_url=base_url, **_defaults(base_url, options))

    def async_client(self, *, base_url: str = BASE_URL, **options: Any) -> httpx2.AsyncClient:  # noqa: ANN401
        """Make an async client; requests that run at once are served by instances at once.

        Args:
            base_url: Scheme and host that the app is asked as.
            options: Of `httpx2.AsyncClient`.

        Returns:
            The client.
        """
        transport = AsyncTransport(self._platform, self._open_for(base_url))
        return httpx2.AsyncClient(
            transport=transport, base_url=base_url, **_defaults(base_url, options)
        )

    def _open_for(self, base_url: str) -> str:
        url = httpx2.URL(base_url)
        if url.scheme not in {"http", "https"} or not url.host:
            raise ConfigurationError(
                f"base_url {base_url!r} cannot be used; write scheme and host, such as {BASE_URL!r}"
            )
        return url.host

    def request(self, method: str, url: str, **options: Any) -> httpx2.Response:  # noqa: ANN401
        """Send a request with the test's client; short for `stateless.client.request`."""
        return self.client.request(method, url, **options)

    def get(self, url: str, **options: Any) -> httpx2.Response:  # noqa: ANN401
        """Send a GET request with the test's client."""
        return self.client.get(url, **options)

    def post(self, url: str, **options: Any) -> httpx2.Response:  # noqa: ANN401
        """Send a POST request with the test's client."""
        return self.client.post(url, **options)

    def put(self, url: str, **options: Any) -> httpx2.Response:  # noqa: ANN401
        """Send a PUT request with the test's client."""
        return self.client.put(url, **options)

    def patch(self, url: str, **options: Any) -> httpx2.Response:  # noqa: ANN401
        """Send a PATCH request with the test's client."""
        return self.client.patch(url, **options)

    def delete(self, url: str, **options: Any) -> httpx2.Response:  # noqa: ANN401
        """Send a DELETE request with the test's client."""
        return self.client.delete(url, **options)

    def head(self, url: str, **options: Any) -> httpx2.Response:  # noqa: ANN401
        """Send a HEAD request with the test's client."""
        return self.client.head(url, **options)

    def options(self, url: str, **options: Any) -> httpx2.Response:  # noqa: ANN401
        """Send an OPTIONS request with the test's client."""
        return self.client.options(url, **options)

    # events and functions

    def invoke(self, event: object, **context: object) -> Any:  # noqa: ANN401
        """Hand an event to the app, a Lambda handler, as a synchronous invocation.

        Args:
            event: Anything that JSON can say.
            context: Attributes of the handler's context object to set, such as
                `function_name="orders"`.

        Returns:
            What the handler returned, after its way through JSON. If it raised: the documented
            object with `errorMessage`, `errorType`, `requestId` and `stackTrace`.

        Raises:
            ConfigurationError: The event is no JSON, or there is no app.
            AdapterError: The app takes no events, or its result is no JSON.
            InstanceError: The event is larger than the platform carries.

        Source: https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html
        """
        try:
            blob, overrides = json.dumps(event).encode(), json.dumps(context)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(
                f"stateless.invoke: the event cannot be written as JSON ({error}); "
                "give plain dicts, lists, texts and numbers"
            ) from error
        platform = self._platform
        entry, conversation = platform.converse(_describe_event(event), with_app=True)
        finding = judge_request_size(platform, entry, len(blob))
        if finding is not None:
            raise InstanceError(
                f"{entry.context.request}: {platform.settings.platform.name} refuses the event: "
                f"{finding.message}"
            )
        request = Invoke(
            number=entry.exchange.number,
            request_id=str(context.get("aws_request_id") or uuid.uuid4()),
            blob=blob,
            context=overrides,
            timeout_s=platform.settings.platform.timeout_s,
            log_levels=log_levels(),
        )
        run(conversation.open(request))
        return json.loads(run(conversation.await_result()))

    def call(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function in a fresh sealed instance, without the app.

        Where function and arguments can be pickled, the instance imports the function's module;
        with start method `snapshot`, and for a closure, a lambda or an open object, it is a fork
        of this process as it stands.

        Args:
            function: Any function.
            args: Its arguments.
            kwargs: Its keyword arguments.

        Returns:
            Its result, which must be something that can be pickled.

        Raises:
            ConfigurationError: The function or an argument cannot be pickled, and start method
                `cold` or `spawn` was asked for, or this system cannot fork.
            Exception: Whatever the function raises.
        """
        name = getattr(function, "__qualname__", repr(function))
        platform = self._platform
        blob = b""
        inherited: Callable[[], object] | None = functools.partial(function, *args, **kwargs)
        if platform.start_method != "snapshot" or platform.settings.start == "auto":
            try:
                blob = pickle.dumps((function, args, kwargs))
                inherited = None
            except (pickle.PicklingError, AttributeError, TypeError) as error:
                platform.check_snapshot(f"{name} or its arguments cannot be pickled ({error})")
        entry, conversation = platform.converse(
            f"call of {name}", with_app=False, function=inherited
        )
        request = Call(
            number=entry.exchange.number,
            blob=blob,
            timeout_s=platform.settings.platform.timeout_s,
            log_levels=log_levels(),
        )
        run(conversation.open(request))
        return cast("T", pickle.loads(run(conversation.await_result())))  # noqa: S301 (our own)

    def use(self, app: object) -> None:
        """Serve an app object that this process has made, until the end of the test.

        Each request is then served by a fork of this process as it stands (start method
        `snapshot`): what the test has overridden, patched or put into the app is there, and what
        a request changes is gone with its instance.

        Args:
            app: A WSGI or ASGI app, or a Lambda handler.

        Raises:
            ConfigurationError: It cannot be called, or another start method was asked for, or
                this system cannot fork.
        """
        name = f"{type(app).__module__}.{type(app).__qualname__} of stateless.use"
        if not callable(app):
            raise ConfigurationError(
                f"stateless.use: {app!r} is not callable; give the WSGI or ASGI app or the Lambda "
                "handler itself"
            )
        self._platform.check_snapshot("an app object exists in this process only")
        self._platform.use(app, name, caller_place(self._platform.boundary))

    # placement

    @contextlib.contextmanager
    def warm(self) -> Iterator[None]:
        """Serve the requests inside by one shared instance, frozen in between.

        Raises:
            ConfigurationError: The blocks are nested.
        """
        if self._platform.is_warm:
            raise ConfigurationError("stateless.warm(): the blocks cannot be nested; use one")
        self._platform.is_warm = True
        try:
            yield
        finally:
            self._platform.is_warm = False
            self._platform.end_warm()

    def service_path(self, path: str | os.PathLike[str]) -> None:
        """Declare a folder that stands for a networked service: instances may write it.

        Args:
            path: An existing folder, or a file: then its folder.

        Raises:
            ConfigurationError: There is no such folder.
        """
        self._platform.declare_service_path(str(path))

    # what was seen

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """Every request, event and call of this test so far, in order."""
        self._platform.findings()
        return tuple(entry.exchange for entry in self._platform.ledger.entries)

    @property
    def last(self) -> Exchange:
        """The latest of them.

        Raises:
            ConfigurationError: There is none yet.
        """
        if not self._platform.ledger.entries:
            raise ConfigurationError("stateless.last: this test has sent nothing yet")
        return self.exchanges[-1]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found in this test so far, also what `stateless_allow` accepts."""
        return self._platform.findings()

    def reset(self) -> None:
        """Forget what this test has done so far: cookies, exchanges, findings, instances."""
        if self._client is not None:
            self._client.close()
            self._client = None
        self._platform.reset()


def _defaults(base_url: str, options: dict[str, Any]) -> dict[str, Any]:
    """Fill in what a browser on a page of the app would do, where the test does not say."""
    headers = httpx2.Headers(options.get("headers"))
    # over HTTPS, Django's CSRF check wants to see where a form was
    headers.setdefault("Referer", f"{base_url}/")
    return {"timeout": None, **options, "headers": headers}


def _describe_event(event: object) -> str:
    if isinstance(event, dict):
        records = event.get("Records")
        if isinstance(records, list) and records and isinstance(records[0], dict):
            source = records[0].get("eventSource") or records[0].get("EventSource")
            return f"event {source}"
        for key in ("detail-type", "routeKey", "source"):
            if isinstance(event.get(key), str):
                return f"event {event[key]}"
    return "event"
