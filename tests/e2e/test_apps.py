"""Which apps are served, and how they are named."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from e2e.conftest import Project


def test_wsgi_apps_are_served(project: Project) -> None:
    project.write({
        "raw.py": """
            def app(environ, start_response):
                body = environ["wsgi.input"].read()
                start_response("201 Created", [("X-Query", environ["QUERY_STRING"])])
                return [environ["REQUEST_METHOD"].encode(), b" ", body]

            class Callable:
                def __call__(self, environ, start_response):
                    start_response("200 OK", [("Content-Type", "text/plain")])
                    yield b"one "
                    yield b"two"

            instance = Callable()
        """,
        "shop/__init__.py": """
            from flask import Flask, request

            def create_app(name="plain", *, debug=False, extra=()):
                app = Flask(__name__)

                @app.get("/name")
                def show():
                    return {"name": name, "debug": debug, "extra": extra}

                return app

            app = create_app()

            class Holder:
                app = app
        """,
        "test_it.py": """
            import pytest

            @pytest.mark.stateless(app="raw:app")
            def test_a_function(stateless):
                response = stateless.put("/a%20b?x=1", content=b"body")
                assert (response.status_code, response.text) == (201, "PUT body")
                assert response.headers["x-query"] == "x=1"

            @pytest.mark.stateless(app="raw:instance")
            def test_an_object_whose_answer_is_a_generator(stateless):
                assert stateless.get("/").text == "one two"

            @pytest.mark.stateless(app="shop:app")
            def test_flask(stateless):
                answer = stateless.get("/name").json()
                assert answer == {"name": "plain", "debug": False, "extra": []}

            @pytest.mark.stateless(app="shop:Holder.app")
            def test_an_attribute_path(stateless):
                assert stateless.get("/name").json()["name"] == "plain"

            @pytest.mark.stateless(app="shop:create_app()")
            def test_a_factory(stateless):
                assert stateless.get("/name").json()["name"] == "plain"

            @pytest.mark.stateless(app="shop:create_app('test', debug=True, extra=[1, 'two'])")
            def test_a_factory_with_literals(stateless):
                answer = stateless.get("/name").json()
                assert answer == {"name": "test", "debug": True, "extra": [1, "two"]}
        """,
    })
    project.ini()
    project.run().assert_outcomes(passed=6)


def test_asgi_apps_are_served_and_start_up_inside_the_instance(project: Project) -> None:
    project.write({
        "raw.py": """
            async def app(scope, receive, send):
                assert scope["type"] == "http"  # no lifespan, as many hand-written apps have it
                body, more = b"", True
                while more:
                    message = await receive()
                    body, more = body + message["body"], message["more_body"]
                await send({"type": "http.response.start", "status": 202, "headers": []})
                await send({"type": "http.response.body", "body": scope["path"].encode() + body})
        """,
        "modern.py": """
            import contextlib, os
            from fastapi import FastAPI, Request

            @contextlib.asynccontextmanager
            async def lifespan(app):
                app.state.started_in = os.getpid()
                yield {"pool": "made at start-up"}
                raise AssertionError("an instance is never shut down")

            app = FastAPI(lifespan=lifespan)

            @app.get("/")
            async def index(request: Request):
                return {
                    "pool": request.state.pool,
                    "same": app.state.started_in == os.getpid(),
                    "pid": os.getpid(),
                }
        """,
        "failing.py": """
            import contextlib
            from starlette.applications import Starlette

            @contextlib.asynccontextmanager
            async def lifespan(app):
                raise LookupError("no database at db:5432")
                yield

            app = Starlette(lifespan=lifespan)
        """,
        "test_it.py": """
            import os
            import pytest
            from pytest_stateless import ColdStartError

            @pytest.mark.stateless(app="raw:app")
            def test_a_function(stateless):
                response = stateless.post("/caf%C3%A9/", content=b"!")
                assert (response.status_code, response.content) == (202, "/café/!".encode())

            @pytest.mark.stateless(app="modern:app")
            def test_lifespan(stateless):
                answer = stateless.get("/").json()
                assert answer["pool"] == "made at start-up"
                assert answer["same"]

            @pytest.mark.stateless(app="failing:app")
            def test_lifespan_that_fails(stateless):
                with pytest.raises(ColdStartError) as caught:
                    stateless.get("/")
                text = str(caught.value)
                assert "failing:app" in text
                assert "lifespan start-up" in text
                assert "LookupError: no database at db:5432" in text
        """,
    })
    project.ini()
    project.run().assert_outcomes(passed=3)


def test_a_django_project_is_served_by_either_of_its_entry_points(project: Project) -> None:
    project.write({
        "project/__init__.py": "",
        "project/settings.py": """
            SECRET_KEY = "x" * 60
            ALLOWED_HOSTS = ["localhost"]
            ROOT_URLCONF = "project.urls"
            INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "pages"]
            MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
            USE_TZ = True
        """,
        "project/urls.py": """
            from django.urls import path
            from pages import views

            urlpatterns = [path("hello/<name>", views.hello), path("form", views.form)]
        """,
        "project/wsgi.py": """
            import os
            from django.core.wsgi import get_wsgi_application

            os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
            application = get_wsgi_application()
        """,
        "project/asgi.py": """
            import os
            from django.core.asgi import get_asgi_application

            os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
            application = get_asgi_application()
        """,
        "pages/__init__.py": "",
        "pages/views.py": """
            from django.http import HttpResponse, JsonResponse

            def hello(request, name):
                return HttpResponse(f"hello {name} {type(request).__name__}")

            def form(request):
                return JsonResponse(request.POST.dict())
        """,
        "test_it.py": """
            import pytest

            @pytest.mark.stateless(app="project.wsgi:application")
            def test_wsgi(stateless):
                assert stateless.get("/hello/ann").text == "hello ann WSGIRequest"
                assert stateless.post("/form", data={"a": "1"}).json() == {"a": "1"}

            @pytest.mark.stateless(app="project.asgi:application")
            def test_asgi(stateless):
                assert stateless.get("/hello/bob").text == "hello bob ASGIRequest"
                assert stateless.post("/form", data={"b": "2"}).json() == {"b": "2"}
        """,
    })
    project.ini()
    project.run().assert_outcomes(passed=2)


def test_setup_runs_in_each_instance_and_env_fills_gaps_only(project: Project) -> None:
    project.write({
        "app.py": """
            import os

            greeting = "hello"

            def app(environ, start_response):
                start_response("200 OK", [])
                shown = [greeting, os.environ["TABLE"], os.environ["STAGE"]]
                return [" ".join(shown).encode()]
        """,
        "sealed.py": """
            import app

            def setup():
                app.greeting += " from set-up"
        """,
        "test_it.py": """
            import os
            import app

            def test_set_up_runs_once_in_each_instance_and_never_here(stateless):
                for _ in range(2):
                    assert stateless.get("/").text == "hello from set-up orders test"
                assert app.greeting == "hello"
                assert "TABLE" not in os.environ

            def test_the_environment_of_the_test_wins(stateless, monkeypatch):
                monkeypatch.setenv("TABLE", "mine")
                assert stateless.get("/").text == "hello from set-up mine test"
        """,
        "conftest.py": """
            import os
            os.environ["STAGE"] = "test"
        """,
    })
    project.ini(
        "stateless_app = app:app",
        "stateless_setup = sealed:setup",
        "stateless_env =",
        "    TABLE=orders",
        "    STAGE=production",
    )
    project.run().assert_outcomes(passed=2)


def test_plain_functions_run_in_an_instance(project: Project) -> None:
    project.write({
        "jobs.py": """
            import os

            count = 0

            class Refused(Exception):
                def __init__(self, code, reason):
                    super().__init__(f"{code}: {reason}")
                    self.code = code

            def add(one, *, to):
                global count
                count += 1
                print("adding")
                return {"sum": one + to, "count": count, "pid": os.getpid()}

            def refuse():
                raise Refused(7, "closed")

            def write():
                with open("kept.txt", "w") as file:
                    file.write("kept")

            def write_to_tmp():
                with open("/tmp/kept.txt", "w") as file:
                    file.write("kept")
                return os.listdir("/tmp").count("kept.txt")
        """,
        "test_it.py": """
            import os
            import pytest
            import jobs

            def test_it_returns_its_result_and_keeps_nothing(stateless, capsys):
                first = stateless.call(jobs.add, 2, to=3)
                second = stateless.call(jobs.add, 2, to=3)
                assert (first["sum"], first["count"]) == (5, 1) == (second["sum"], second["count"])
                assert capsys.readouterr().out == "adding\\nadding\\n"
                assert jobs.count == 0
                assert stateless.last.title == "call of add"

            def test_it_raises_what_the_function_raises(stateless):
                with pytest.raises(jobs.Refused, match="7: closed"):
                    stateless.call(jobs.refuse)

            def test_it_is_sealed(stateless):
                with pytest.raises(OSError, match="Read-only file system"):
                    stateless.call(jobs.write)
                assert [finding.rule for finding in stateless.findings] == ["SL101"]
                assert not os.path.exists("kept.txt")

            def test_tmp_is_wiped(stateless):
                assert stateless.call(jobs.write_to_tmp) == 1
                assert not os.path.exists("/tmp/kept.txt")

            def test_a_function_of_the_standard_library(stateless):
                assert stateless.call(sorted, [3, 1, 2], reverse=True) == [3, 2, 1]
        """,
    })
    project.ini("stateless_fail_on = never")
    project.run().assert_outcomes(passed=5)
