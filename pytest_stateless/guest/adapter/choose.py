"""Choosing the adapter for an app; each convention's module is imported only when it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

if TYPE_CHECKING:
    from pytest_stateless.guest.adapter.contract import Adapter
    from pytest_stateless.guest.adapter.load import LoadedApp
    from pytest_stateless.guest.stack import StackReader


def make_adapter(loaded: LoadedApp, stack: StackReader) -> Adapter:
    """Make the adapter that speaks an app's convention.

    Args:
        loaded: The app.
        stack: Decides what is first-party.

    Returns:
        The adapter, not yet started.
    """
    match loaded.kind:
        case "wsgi":
            from pytest_stateless.guest.adapter.wsgi import WsgiAdapter  # noqa: PLC0415 (light)

            return WsgiAdapter(loaded, stack)
        case "asgi":
            # asyncio costs 40 ms, which a WSGI app or a handler need not pay
            from pytest_stateless.guest.adapter.asgi import AsgiAdapter  # noqa: PLC0415

            return AsgiAdapter(loaded, stack)
        case "lambda":
            from pytest_stateless.guest.adapter.lambda_ import LambdaAdapter  # noqa: PLC0415

            return LambdaAdapter(loaded, stack)
        case _:
            assert_never(loaded.kind)
