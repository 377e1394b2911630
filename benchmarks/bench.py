"""The platform outside of pytest, made as the fixture makes it."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_stateless.session.platform import Platform
from pytest_stateless.session.provision import Surroundings
from pytest_stateless.session.settings import Layer, resolve
from pytest_stateless.session.stateless import Stateless

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_stateless.session.options import Isolation, Start


APPS_FOLDER = Path(__file__).parent / "apps"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One app to measure.

    Attributes:
        title: For people.
        module: Its module, in the folder of apps.
        attribute: The app's name there.
    """

    title: str
    module: str
    attribute: str

    @property
    def reference(self) -> str:
        """The app reference."""
        return f"{self.module}:{self.attribute}"


SUBJECTS: dict[str, Subject] = {
    "flask": Subject(title="Flask app with boto3", module="flask_shop", attribute="app"),
    "fastapi": Subject(title="FastAPI app", module="fastapi_shop", attribute="app"),
    "lambda": Subject(title="Lambda handler with boto3", module="lambda_shop", attribute="handler"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A running platform.

    Attributes:
        stateless: What a test would get from the fixture.
        platform: What is behind it.
    """

    stateless: Stateless
    platform: Platform


@contextlib.contextmanager
def open_bench(
    subject: Subject, *, start: Start = "auto", isolation: Isolation = "auto"
) -> Iterator[Bench]:
    """Start a platform for an app, and end it.

    Args:
        subject: The app.
        start: How its instances come to be.
        isolation: What seals them.

    Yields:
        The platform, configured as for one test.
    """
    if str(APPS_FOLDER) not in sys.path:
        sys.path.insert(0, str(APPS_FOLDER))
    with tempfile.TemporaryDirectory() as basetemp:
        platform = Platform(Surroundings(rootdir=str(APPS_FOLDER), basetemp=basetemp))
        try:
            given = {"app": subject.reference, "start": start, "isolation": isolation}
            platform.configure(resolve(Layer(origin="benchmark", values=given)))
            yield Bench(stateless=Stateless(platform), platform=platform)
        finally:
            platform.close()
