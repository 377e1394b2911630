from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING

import pytest
from django.core.handlers.asgi import ASGIHandler  # type: ignore[import-untyped]
from django.core.handlers.wsgi import WSGIHandler  # type: ignore[import-untyped]
from fastapi import FastAPI
from flask import Flask
from mangum import Mangum
from recording_sink import STACK, loaded
from starlette.applications import Starlette

from pytest_stateless.errors import AdapterError
from pytest_stateless.guest.adapter.choose import make_adapter
from pytest_stateless.guest.adapter.kind import detect_kind
from pytest_stateless.guest.adapter.load import LoadedApp, load_app, load_function
from pytest_stateless.guest.stack import StackReader
from pytest_stateless.model.app_reference import AppKind, parse_app_reference
from pytest_stateless.model.first_party import FirstParty

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SHOP = """\
import functools
from shop.made import app as imported
from flask import Flask
app = Flask(__name__)
app.debug = False

if True:
    late = Flask("late")

def decorate(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)
    return wrapper

def create_app(name="default", *, debug=False):
    made = Flask(name)
    made.debug = debug
    return made

@decorate
@decorate
def handler(event, context):
    return event

def broken():
    raise RuntimeError("no database")

number = 3
"""


QUOTED = '''\
"""Use it so:

app = quoted.app
"""
from flask import Flask

app, other = Flask("one"), Flask("two")
'''


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StackReader]:
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "made.py").write_text("from flask import Flask\n\napp = Flask('made')\n")
    (package / "app.py").write_text(SHOP)
    (package / "quoted.py").write_text(QUOTED)
    (package / "unhappy.py").write_text("import no_such_dependency\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield StackReader(FirstParty(roots=(str(tmp_path),)))
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        del sys.modules[name]


def load(text: str, stack: StackReader) -> LoadedApp:
    return load_app(parse_app_reference(text), stack)


def place(text: str, stack: StackReader) -> str:
    found = load(text, stack).place
    assert found is not None
    assert found.is_first_party
    return f"{found.path.rpartition('/')[2]}: {found.source}"


def test_an_app_object_is_placed_at_its_assignment(stack: StackReader) -> None:
    assert place("shop.app:app", stack) == "app.py: app = Flask(__name__)"
    assert place("shop.app:late", stack) == 'app.py: late = Flask("late")'


def test_an_assignment_in_a_docstring_is_none(stack: StackReader) -> None:
    assert place("shop.quoted:app", stack) == 'quoted.py: app, other = Flask("one"), Flask("two")'


def test_an_app_that_was_imported_is_placed_where_it_was_made(stack: StackReader) -> None:
    assert place("shop.app:imported", stack) == "made.py: app = Flask('made')"


def test_a_function_is_placed_at_its_def_below_its_decorators(stack: StackReader) -> None:
    assert place("shop.app:handler", stack) == "app.py: def handler(event, context):"


def test_a_factory_is_called_with_its_literals_and_placed_at_its_def(stack: StackReader) -> None:
    text = "shop.app:create_app('test', debug=True)"
    app = load(text, stack).app

    assert isinstance(app, Flask)
    assert (app.name, app.debug) == ("test", True)
    assert place(text, stack).startswith("app.py: def create_app(")


def test_the_kind_of_the_reference_wins(stack: StackReader) -> None:
    assert load("shop.app:app", stack).kind == "wsgi"
    assert load("lambda:shop.app:app", stack).kind == "lambda"


@pytest.mark.parametrize(
    ("text", "says"),
    (
        ("shpo.app:app", "there is no module 'shpo'"),
        ("shop.ap:app", "there is no module 'shop.ap'"),
        ("shop.app:ap", "has no attribute 'ap'; did you mean app"),
        ("shop.app:number", "is not callable: it is a int (3)"),
        ("shop.app:number()", "is no factory but a int (3)"),
        ("shop.app:broken", "if it is a factory, write 'shop.app:broken()'"),
        ("shop.app:decorate", "takes (function)"),
    ),
)
def test_a_reference_that_names_no_app_is_refused(text: str, says: str, stack: StackReader) -> None:
    with pytest.raises(AdapterError) as caught:
        load(text, stack)

    assert says in str(caught.value)
    assert repr(text) in str(caught.value)


def test_what_the_import_or_the_factory_raises_is_the_apps_own(stack: StackReader) -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        load("shop.unhappy:app", stack)
    with pytest.raises(RuntimeError, match="no database"):
        load("shop.app:broken()", stack)


def test_a_setup_function_is_loaded(stack: StackReader) -> None:
    del stack  # only its folder is needed

    assert load_function("shop.app:create_app").__name__ == "create_app"
    with pytest.raises(AdapterError, match="written with a call"):
        load_function("shop.app:create_app()")
    with pytest.raises(AdapterError, match="not callable"):
        load_function("shop.app:number")


async def _asgi(scope: object, receive: object, send: object) -> None: ...
def _plain_asgi(scope: object, receive: object, send: object) -> None: ...
def _wsgi(environ: object, start_response: object) -> None: ...
def _short_wsgi(env: object, respond: object) -> None: ...
def _handler(event: object, context: object) -> None: ...
def _careless_handler(event: object, _: object) -> None: ...
def _default_handler(my_event: object, lambda_context: object = None) -> None: ...
async def _async_handler(event: object, context: object) -> None: ...


@functools.wraps(_asgi)
def _wrapped_asgi(*args: object) -> object:
    return _asgi(*args)


class _AsgiClass:
    async def __call__(self, one: object, two: object, three: object) -> None: ...


class _OpenInstance:
    def __call__(self, *args: object) -> None: ...


class _Awaitable:
    def __init__(self, scope: object, receive: object, send: object) -> None: ...


class _Methods:
    def handle(self, event: object, context: object) -> None: ...


def _bound(_extra: object, environ: object, start_response: object) -> None: ...


@pytest.mark.parametrize(
    ("app", "kind"),
    (
        (Flask("shop"), "wsgi"),
        (Flask("shop").wsgi_app, "wsgi"),
        (WSGIHandler.__new__(WSGIHandler), "wsgi"),  # its __init__ wants settings
        (ASGIHandler.__new__(ASGIHandler), "asgi"),
        (FastAPI(), "asgi"),
        (Starlette(), "asgi"),
        (Mangum.__new__(Mangum), "lambda"),
        (_asgi, "asgi"),
        (_plain_asgi, "asgi"),
        (_wrapped_asgi, "asgi"),
        (functools.partial(_asgi), "asgi"),
        (_AsgiClass(), "asgi"),
        (_Awaitable, "asgi"),
        (_wsgi, "wsgi"),
        (_short_wsgi, "wsgi"),
        (functools.partial(_bound, 1), "wsgi"),
        (_OpenInstance(), "wsgi"),
        (_handler, "lambda"),
        (_careless_handler, "lambda"),
        (_default_handler, "lambda"),
        (_async_handler, "lambda"),
        (_Methods().handle, "lambda"),
    ),
)
def test_the_kind_of_an_app_is_told_from_its_signature(app: object, kind: AppKind) -> None:
    assert detect_kind(app) == kind


@pytest.mark.parametrize(
    "app",
    (lambda _a, _b: None, lambda *_args: None, lambda _event: None, lambda _a, _b, _c: None),
)
def test_a_kind_that_cannot_be_told_is_asked_for(app: Callable[..., object]) -> None:
    with pytest.raises(AdapterError, match=r"'shop:app'"):
        detect_kind(app, "shop:app")


def test_what_may_be_a_factory_without_its_call_is_told_so() -> None:
    def create_app(test_config: object = None) -> object: ...
    def make_app(settings: object) -> object: ...

    with pytest.raises(AdapterError, match=r"if it is a factory, write 'shop:create_app\(\)'"):
        detect_kind(create_app, "shop:create_app")
    with pytest.raises(AdapterError, match=r"arguments, as in \"shop:make_app\('...'\)\""):
        detect_kind(make_app, "shop:make_app")


@pytest.mark.parametrize("kind", ("wsgi", "asgi", "lambda"))
def test_each_kind_has_its_adapter(kind: AppKind) -> None:
    assert make_adapter(loaded(_wsgi, kind), STACK).kind == kind
