"""Apps that cannot be started, or answer against their convention."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from e2e.conftest import Project


def test_an_app_that_cannot_be_found_or_called_is_named(project: Project) -> None:
    project.write({
        "shop.py": """
            application = 3

            def app(environ, start_response):
                pass

            def create_app():
                return app

            def strange(one, two):
                pass
        """,
        "test_it.py": """
            import pytest

            @pytest.mark.parametrize("number", [
                pytest.param(number, marks=pytest.mark.stateless(app=app))
                for number, app in enumerate((
                    "shoop:app", "shop.views:app", "shop:ap", "shop:application", "shop:create_app",
                    "shop:strange", "shop:application()",
                ))
            ])
            def test_it(stateless, number):
                stateless.get("/")
        """,
    })
    project.ini()
    result = project.run()
    result.assert_outcomes(failed=7)
    result.stdout.fnmatch_lines([
        "E *ConfigurationError: 'shoop:app' cannot be loaded: there is no module 'shoop'; check*",
        "E *ConfigurationError: 'shop.views:app' cannot be loaded: there is no module 'shop.view*",
        (
            "E *ConfigurationError: 'shop:ap' cannot be loaded: shop has no attribute 'ap'; "
            "did you mean app*"
        ),
        "E *ConfigurationError: app 'shop:application' is not callable: it is a int (3); name *",
        (
            "E *ConfigurationError: app 'shop:create_app' takes no arguments, so it is no app; *"
            "'shop:create_app()'*"
        ),
        "E *ConfigurationError: app 'shop:strange' takes (one, two), which tells neither WSGI *",
        "E *ConfigurationError: app 'shop:application()': application is no factory but a int*",
    ])
    result.stdout.no_fnmatch_line("*pytest_stateless/*")
    result.stdout.no_fnmatch_line("*Traceback*")


def test_why_an_app_does_not_start_is_told_in_full_once_and_then_in_one_line(
    project: Project,
) -> None:
    project.write({
        "shop/__init__.py": "",
        "shop/app.py": """
            from shop import config

            def app(environ, start_response):
                pass
        """,
        "shop/config.py": """
            import os

            def required(name):
                return os.environ[name]

            TABLE = required("TABLE")
        """,
        "syntax.py": "def app(environ, start_response:\n",
        "leaving.py": "raise SystemExit('no licence')\n",
        "vendorless.py": "import no_such_library\n",
        "writing.py": """
            with open("made.txt", "w") as file:
                file.write("made")

            def app(environ, start_response):
                pass
        """,
        "falling.py": """
            try:
                open("made.txt", "w").close()
            except OSError:
                pass
            raise LookupError("for another reason")
        """,
        "sealed.py": """
            def setup():
                pass
        """,
        "test_it.py": """
            import pytest
            from pytest_stateless import ColdStartError

            def test_expected(stateless):
                with pytest.raises(ColdStartError, match="KeyError: 'TABLE'"):
                    stateless.get("/")

            def test_first(stateless):
                stateless.get("/")

            @pytest.fixture
            def page(stateless):
                return stateless.get("/page")

            def test_second(page):
                pass

            def test_otherwise(stateless, monkeypatch):
                monkeypatch.setenv("TABLE", "orders")
                with pytest.raises(ColdStartError, match="another"):
                    raise ColdStartError("another")

            @pytest.mark.stateless(app="syntax:app")
            def test_syntax(stateless):
                stateless.get("/")

            @pytest.mark.stateless(app="leaving:app")
            def test_leaving(stateless):
                stateless.get("/")

            @pytest.mark.stateless(app="vendorless:app")
            def test_vendorless(stateless):
                stateless.get("/")

            @pytest.mark.stateless(app="writing:app")
            @pytest.mark.parametrize("number", [1, 2])
            def test_writing(stateless, number):
                stateless.get("/")

            @pytest.mark.stateless(app="falling:app")
            def test_falling(stateless):
                stateless.get("/")
        """,
    })
    project.ini("stateless_app = shop.app:app")
    result = project.run()
    result.assert_outcomes(passed=2, failed=7, errors=1)
    result.stdout.fnmatch_lines([
        # errors come before failures
        "*_ ERROR at setup of test_second _*",
        '>   *return stateless.get("/page")',
        (
            "E *ColdStartError: shop.app:app cannot start: KeyError: 'TABLE' "
            "(in full: test_it.py::test_first)"
        ),
        "*_ test_first _*",
        (
            "E *ColdStartError: shop.app:app cannot start: import of shop.app:app failed: "
            "KeyError: 'TABLE'"
        ),
        "E           it was to serve GET / (request 1, instance 1)",
        "E           Traceback (most recent call last):",
        'E             File "*/shop/app.py", line 1, in <module>',
        'E             File "*/shop/config.py", line 6, in <module>',
        'E             File "*/shop/config.py", line 4, in required',
        "E *KeyError: 'TABLE'",
        "*_ test_syntax _*",
        "E *ColdStartError: syntax:app cannot start: import of syntax:app failed: SyntaxError: *",
        "*_ test_leaving _*",
        "E *ColdStartError: leaving:app cannot start: * SystemExit: no licence",
        "*_ test_vendorless _*",
        "E *ColdStartError: vendorless:app cannot start: * ModuleNotFoundError: *no_such_library*",
        "*_ test_writing[[]1[]] _*",
        "E *ColdStartError: writing.py:1: SL101 write-outside-tmp: made.txt cannot be written *",
        "*_ test_writing[[]2[]] _*",
        (
            "E *ColdStartError: writing.py:1: SL101 write-outside-tmp: made.txt cannot be written *"
            "(in full: test_it.py::test_writing[[]1[]])"
        ),
        "*_ test_falling _*",
        "E *ColdStartError: falling:app cannot start: * LookupError: for another reason",
        "*- stateless findings -*",
        "falling.py:2: SL101 write-outside-tmp: made.txt cannot be written at import",
    ])
    result.stdout.no_fnmatch_line("*pytest_stateless/*")
    result.stdout.no_fnmatch_line("*<frozen importlib*")
    text = result.stdout.str()
    assert text.count("line 4, in required") == 1


def test_an_app_that_breaks_its_convention_is_told_how(project: Project) -> None:
    project.write({
        "bad.py": """
            import datetime

            def status(environ, start_response):
                start_response(200, [])
                return [b""]

            def text(environ, start_response):
                start_response("200 OK", [])
                return ["text"]

            def silent(environ, start_response):
                return [b"body"]

            async def early(scope, receive, send):
                assert scope["type"] == "http"
                await send({"type": "http.response.body", "body": b"early"})

            async def nothing(scope, receive, send):
                assert scope["type"] == "http"

            def handler(event, context):
                return {"when": datetime.date(2026, 1, 2)}

            def gateway(event, context):
                return {"statusCode": "fine"}

            async def coroutine(event, context):
                return {}
        """,
        "test_it.py": """
            import pytest
            from pytest_stateless import AdapterError

            def app(name):
                return pytest.mark.stateless(app=f"{name}")

            @pytest.mark.parametrize(("send", "says"), [
                pytest.param(send, says, marks=pytest.mark.stateless(app=f"bad:{name}"), id=name)
                for name, send, says in (
                    ("status", "get", "status 200 is no text but int"),
                    ("text", "get", "is no bytes but str: 'text'"),
                    ("silent", "get", "before it called start_response"),
                    ("early", "get", "'http.response.body' was sent before 'http.response.start'"),
                    ("nothing", "get", "the app returned without a response"),
                    ("handler", "invoke", "which is not JSON"),
                    ("gateway", "get", "statusCode 'fine' is no status code, such as 200"),
                )
            ])
            def test_it(stateless, request, send, says):
                name = request.node.callspec.id
                with pytest.raises(AdapterError) as caught:
                    getattr(stateless, send)("/path")
                text = str(caught.value)
                assert says in text
                assert f"bad:{name} broke its calling convention" in text
                assert text.startswith("GET /path (request 1" if send == "get" else "event ")

            @pytest.mark.stateless(app="lambda:bad:coroutine")
            def test_a_handler_that_is_a_coroutine_function(stateless):
                with pytest.raises(AdapterError, match="returned a coroutine, which Lambda does"):
                    stateless.invoke({})

            @pytest.mark.stateless(app="bad:status")
            def test_that_fails(stateless):
                stateless.get("/path")
        """,
    })
    project.ini()
    result = project.run()
    result.assert_outcomes(passed=8, failed=1)
    result.stdout.fnmatch_lines([
        '>       stateless.get("/path")',
        (
            "E *AdapterError: GET /path (request 1, instance 1): bad:status broke its calling "
            "convention: *status 200 is no text but int*"
        ),
    ])
    result.stdout.no_fnmatch_line("*pytest_stateless/*")
