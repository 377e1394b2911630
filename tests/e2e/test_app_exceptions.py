"""What the app raises: a 500 as on the platform, or the exception itself in the test."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from e2e.conftest import Project

SHOP = """
    import errors

    def price(sku):
        if sku == "known":
            raise errors.NotSold(404, sku)
        if sku == "local":
            class Local(LookupError):
                pass
            raise Local("cannot be pickled") from KeyError("the cause")
        if sku == "secret":
            raise RuntimeError("cannot log in with DB_PASSWORD=hunter2")
        raise ValueError(f"no {sku}")

    def app(environ, start_response):
        price(environ["QUERY_STRING"])

    def handler(event, context):
        price(event["sku"])
"""

ERRORS = """
    class NotSold(Exception):
        def __init__(self, code, sku):
            super().__init__(f"{code} {sku}")
            self.code = code

        def __reduce__(self):
            return NotSold, (self.code, self.args[0].split()[1])
"""


def test_an_exception_is_a_500_and_its_traceback_is_in_the_failure_report(
    project: Project,
) -> None:
    project.write({
        "shop.py": SHOP,
        "errors.py": ERRORS,
        "test_it.py": """
            def test_as_on_the_platform(stateless):
                response = stateless.get("/?tea")
                assert (response.status_code, response.text) == (500, "Internal Server Error")
                assert "ValueError: no tea" in stateless.last.exception

            def test_that_fails(stateless):
                assert stateless.get("/?tea").status_code == 200

            def test_that_tells_a_secret(stateless):
                assert stateless.get("/?secret").status_code == 200
        """,
    })
    project.ini("stateless_app = shop:app")
    result = project.run()
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines([
        "*stateless exception*",
        "GET / (request 1, instance 1): the app raised, and the platform answers 500",
        "    Traceback (most recent call last):",
        '      File "*/shop.py", line 15, in app',
        '        price(environ["QUERY_STRING"])',
        '      File "*/shop.py", line 12, in price',
        '        raise ValueError(f"no {sku}")',
        "    ValueError: no tea",
        "*RuntimeError: cannot log in with DB_PASSWORD=*",
    ])
    result.stdout.no_fnmatch_line("*hunter2*")
    result.stdout.no_fnmatch_line("*pytest_stateless/*")


def test_an_exception_is_raised_in_the_test_where_the_ini_file_says_so(project: Project) -> None:
    project.write({
        "shop.py": SHOP,
        "errors.py": ERRORS,
        "test_it.py": """
            import traceback
            import pytest
            import errors

            def test_it_is_the_app_s_own_class_where_the_test_knows_it(stateless):
                with pytest.raises(errors.NotSold) as caught:
                    stateless.get("/?known")
                assert (caught.value.code, str(caught.value)) == (404, "404 known")

            def test_its_traceback_leads_into_the_app(stateless):
                with pytest.raises(ValueError, match="no tea") as caught:
                    stateless.get("/?tea")
                frames = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
                assert frames[-2:] == ["app", "price"]
                assert stateless.last.status in (None, 500)

            def test_a_stand_in_says_the_same_as_what_cannot_be_pickled(stateless):
                with pytest.raises(LookupError, match="cannot be pickled") as caught:
                    stateless.get("/?local")
                assert type(caught.value).__name__ == "Local"
                assert type(caught.value).__module__ == "shop"
                assert isinstance(caught.value.__cause__, KeyError)
                frames = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
                assert frames[-2:] == ["app", "price"]

            @pytest.mark.stateless(app="shop:handler")
            def test_of_a_handler_too(stateless):
                with pytest.raises(ValueError, match="no tea"):
                    stateless.invoke({"sku": "tea"})

            def test_the_next_request_is_served(stateless):
                for _ in range(2):
                    with pytest.raises(ValueError):
                        stateless.get("/?tea")

            def test_that_fails(stateless):
                stateless.get("/?tea")
        """,
    })
    project.ini("stateless_app = shop:app", "stateless_raise_app_exceptions = true")
    result = project.run()
    result.assert_outcomes(passed=5, failed=1)
    result.stdout.fnmatch_lines([
        '>       stateless.get("/?tea")',
        "shop.py:15: in app",
        '>   raise ValueError(f"no {sku}")',
        "E   ValueError: no tea",
        "shop.py:12: ValueError",
    ])
    result.stdout.no_fnmatch_line("*the platform answers 500*")
    result.stdout.no_fnmatch_line("*pytest_stateless/*")
