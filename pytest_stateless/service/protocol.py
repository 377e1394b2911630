"""What every service can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_stateless.model.observed import Observed


class Service(Protocol):
    """Something that remembers what instances forget.

    A method that cannot do its work raises `ServiceError`, and the test fails: a service that
    could not be put back never turns into a pass.

    Attributes:
        name: What reports call it, and the first part of its resources' names.
    """

    name: str

    def environment(self) -> Mapping[str, str]:
        """Return the variables by which instances and the test find it."""
        ...

    def snapshot(self) -> Any:  # noqa: ANN401 (each service has its own)
        """Remember what it holds now.

        Returns:
            Something to give to `restore`, any number of times, until `forget` or `close`.

        Raises:
            ServiceError: It is gone, or cannot be stopped for a moment.
        """
        ...

    def restore(self, state: Any) -> None:  # noqa: ANN401 (what `snapshot` returned)
        """Put it back to what it held; what came later is gone.

        Args:
            state: What `snapshot` returned.

        Raises:
            ServiceError: That did not work.
        """
        ...

    def forget(self, state: Any) -> None:  # noqa: ANN401 (what `snapshot` returned)
        """Let go of a state, which will not be asked for again.

        Args:
            state: What `snapshot` returned.
        """
        ...

    def observe(self) -> Observed:
        """Return what it holds, as a value that can be compared.

        Raises:
            ServiceError: It cannot be asked.
        """
        ...

    def close(self) -> None:
        """End it, and remove everything that it has left; a second time nothing happens."""
        ...
