"""AWS Lambda handlers: events, the context object, the environment, and HTTP by API Gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from e2e.conftest import Project

HANDLERS = """
    import base64, decimal, json, os

    warm = []

    def echo(event, context):
        return event

    def describe(event, context):
        left = [context.get_remaining_time_in_millis() for _ in range(2)]
        return {
            "name": context.function_name,
            "version": context.function_version,
            "arn": context.invoked_function_arn,
            "memory": context.memory_limit_in_mb,
            "request": context.aws_request_id,
            "group": context.log_group_name,
            "stream": context.log_stream_name,
            "identity": context.identity.cognito_identity_id,
            "client": context.client_context,
            "is_counting_down": left[0] >= left[1],
            "left": left[1],
            "environ": {k: v for k, v in os.environ.items() if "AWS_" in k or "LAMBDA_" in k},
            "handler": os.environ["_HANDLER"],
            "cwd_is_the_task": os.environ["LAMBDA_TASK_ROOT"] == os.getcwd(),
        }

    def count(event, context):
        warm.append(event)
        return len(warm)

    def fail(event, context):
        raise KeyError(event["missing"])

    def decimals(event, context):
        return {"price": decimal.Decimal("1.5"), "none": None}

    def http(event, context):
        http = event["requestContext"]["http"]
        if http["path"] == "/login":
            return {
                "statusCode": 302,
                "headers": {"Location": "/me"},
                "cookies": ["user=ann; Path=/", "seen=1"],
            }
        if http["path"] == "/picture":
            body = base64.b64encode(bytes(range(256))).decode()
            return {"statusCode": 200, "body": body, "isBase64Encoded": True}
        if http["path"] == "/plain":
            return {"just": "a dict"}
        body = event.get("body", "")
        if event["isBase64Encoded"]:
            body = base64.b64decode(body).decode("latin-1")
        seen = {
            "version": event["version"],
            "method": http["method"],
            "query": event.get("queryStringParameters"),
            "cookies": sorted(event.get("cookies", [])),
            "body": body,
            "id": event["requestContext"]["requestId"] == context.aws_request_id,
        }
        return {"statusCode": 200, "body": json.dumps(seen)}
"""


def test_events_reach_a_handler_as_lambda_delivers_them(project: Project) -> None:
    project.write({
        "orders.py": HANDLERS,
        "test_it.py": """
            import re
            import pytest
            from pytest_stateless import ConfigurationError

            @pytest.mark.stateless(app="orders:echo")
            def test_an_event_crosses_as_json(stateless):
                assert stateless.invoke({"a": [1, None, "é"], 2: (3,)}) == {
                    "a": [1, None, "é"], "2": [3],
                }
                assert stateless.invoke(None) is None
                with pytest.raises(ConfigurationError, match="JSON"):
                    stateless.invoke({"when": object()})

            @pytest.mark.stateless(app="orders:describe", memory="256 MB", timeout="20 s")
            def test_the_context_and_the_environment_are_lambda_s(stateless, monkeypatch):
                monkeypatch.setenv("AWS_REGION", "eu-west-1")
                one, two = stateless.invoke({}), stateless.invoke({})
                assert one["name"] == "function"
                assert one["version"] == "$LATEST"
                arn = r"arn:aws:lambda:eu-west-1:\\d{12}:function:function"
                assert re.fullmatch(arn, one["arn"])
                assert one["memory"] == "256"
                assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", one["request"])
                assert one["request"] != two["request"]
                assert one["group"] == "/aws/lambda/function"
                assert one["stream"] != two["stream"]
                assert (one["identity"], one["client"]) == (None, None)
                assert one["is_counting_down"]
                assert 0 < one["left"] <= 20_000
                environ = one["environ"]
                assert environ["AWS_REGION"] == "eu-west-1"
                assert environ["AWS_LAMBDA_FUNCTION_NAME"] == "function"
                assert environ["AWS_LAMBDA_FUNCTION_VERSION"] == "$LATEST"
                assert environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
                assert environ["AWS_LAMBDA_INITIALIZATION_TYPE"] == "on-demand"
                assert environ["AWS_LAMBDA_LOG_STREAM_NAME"] == one["stream"]
                assert environ["AWS_EXECUTION_ENV"].startswith("AWS_Lambda_python3.")
                assert one["handler"] == "orders.describe"
                assert one["cwd_is_the_task"]

            @pytest.mark.stateless(app="orders:describe")
            def test_a_test_sets_attributes_of_the_context(stateless):
                seen = stateless.invoke(
                    {}, function_name="orders", memory_limit_in_mb=512, aws_request_id="r-1"
                )
                assert (seen["name"], seen["memory"], seen["request"]) == ("orders", "512", "r-1")

            @pytest.mark.stateless(app="orders:count")
            def test_each_event_meets_a_fresh_instance(stateless):
                assert [stateless.invoke({}) for _ in range(3)] == [1, 1, 1]
                with stateless.warm():
                    assert [stateless.invoke({}) for _ in range(3)] == [1, 2, 3]

            @pytest.mark.stateless(app="orders:fail")
            def test_an_exception_comes_back_as_lambda_tells_it(stateless):
                error = stateless.invoke({"missing": "sku"}, aws_request_id="r-2")
                assert error["errorType"] == "KeyError"
                assert error["errorMessage"] == "'sku'"
                assert error["requestId"] == "r-2"
                assert [line for line in error["stackTrace"] if "orders.py" in line]
                assert not [line for line in error["stackTrace"] if "pytest_stateless" in line]
                assert "KeyError: 'sku'" in stateless.last.exception

            @pytest.mark.stateless(app="orders:decimals")
            def test_decimals_become_numbers_as_in_the_runtime(stateless):
                assert stateless.invoke({}) == {"price": 1.5, "none": None}
        """,
    })
    project.ini()
    project.run().assert_outcomes(passed=6)


def test_requests_to_a_handler_go_through_api_gateway(project: Project) -> None:
    project.write({
        "orders.py": HANDLERS,
        "test_it.py": """
            import pytest

            def test_there_and_back(stateless):
                sent = stateless.post("/x?a=1&a=2", content="text", headers={"cookie": "c=d"})
                assert sent.json() == {
                    "version": "2.0", "method": "POST", "query": {"a": "1,2"},
                    "cookies": ["c=d"], "body": "text", "id": True,
                }
                for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS"):
                    assert stateless.request(method, "/x").json()["method"] == method

            def test_cookies_and_redirects(stateless):
                response = stateless.get("/login", follow_redirects=True)
                assert response.json()["cookies"] == ["seen=1", "user=ann"]
                assert [one.title for one in stateless.exchanges] == ["GET /login", "GET /me"]

            def test_bytes_both_ways(stateless):
                assert stateless.get("/picture").content == bytes(range(256))
                sent = stateless.post(
                    "/x", content=b"\\xff\\x00", headers={"content-type": "image/png"}
                )
                assert sent.json()["body"] == "\\xff\\x00"

            def test_a_plain_result_is_a_200(stateless):
                response = stateless.get("/plain")
                assert (response.status_code, response.json()) == (200, {"just": "a dict"})

            @pytest.mark.stateless(app="orders:fail")
            def test_an_exception_is_a_500_as_the_gateway_answers_it(stateless):
                response = stateless.get("/")
                assert response.status_code == 500
                assert response.json() == {"message": "Internal Server Error"}
                assert "KeyError: 'missing'" in stateless.last.exception
        """,
    })
    project.ini("stateless_app = orders:http")
    project.run().assert_outcomes(passed=5)


def test_an_event_that_the_platform_does_not_carry_never_reaches_the_handler(
    project: Project,
) -> None:
    project.write({
        "orders.py": HANDLERS,
        "test_it.py": """
            import pytest
            from pytest_stateless import InstanceError

            def test_too_large(stateless):
                with pytest.raises(InstanceError, match="aws-lambda refuses the event"):
                    stateless.invoke({"text": "x" * (7 << 20)})
                assert [finding.rule for finding in stateless.findings] == ["SL501"]
        """,
    })
    project.ini("stateless_app = orders:echo")
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([
        "test_it.py:6: SL501 payload: a request of 7 MB is over the limit of 6 MB"
    ])


def test_an_asgi_app_behind_mangum_is_served_as_a_handler(project: Project) -> None:
    project.write({
        "shop.py": """
            from fastapi import FastAPI
            from mangum import Mangum

            api = FastAPI()

            @api.get("/items/{sku}")
            async def item(sku: str):
                return {"sku": sku}

            handler = Mangum(api, lifespan="off")
        """,
        "test_it.py": """
            def test_it(stateless):
                assert stateless.get("/items/tea").json() == {"sku": "tea"}
        """,
    })
    project.ini("stateless_app = shop:handler", warnings="default")
    project.run().assert_outcomes(passed=1)
