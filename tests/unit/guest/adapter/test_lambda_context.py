from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from pytest_stateless.errors import AdapterError
from pytest_stateless.guest.adapter.context import OVERRIDES, LambdaContext, lambda_environment

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    variables = lambda_environment(
        memory_bytes=512 * 1024 * 1024, handler="lambda:shop.app:main", cwd="/srv/shop"
    )
    variables |= {"AWS_LAMBDA_FUNCTION_NAME": "orders", "AWS_REGION": "eu-central-1"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables  # type: ignore[return-value]


def test_the_environment_of_an_instance_is_complete(environment: dict[str, str]) -> None:
    assert environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "512"
    assert environment["_HANDLER"] == "shop.app.main"
    assert environment["LAMBDA_TASK_ROOT"] == "/srv/shop"
    assert environment["LAMBDA_RUNTIME_DIR"] == "/var/runtime"
    assert re.fullmatch(r"AWS_Lambda_python3\.\d+", environment["AWS_EXECUTION_ENV"])
    stream = environment["AWS_LAMBDA_LOG_STREAM_NAME"]
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", stream)


def test_two_instances_have_two_log_streams() -> None:
    first, second = (lambda_environment(memory_bytes=1, handler="a:b", cwd="/") for _ in range(2))

    assert first["AWS_LAMBDA_LOG_STREAM_NAME"] != second["AWS_LAMBDA_LOG_STREAM_NAME"]


def test_the_context_takes_its_values_from_the_environment(environment: dict[str, str]) -> None:
    context = LambdaContext("an-id", 3.0)

    assert context.function_name == "orders"
    assert context.function_version == "$LATEST"
    assert context.invoked_function_arn == (
        "arn:aws:lambda:eu-central-1:123456789012:function:orders"
    )
    assert context.memory_limit_in_mb == "512"
    assert context.aws_request_id == "an-id"
    assert context.log_stream_name == environment["AWS_LAMBDA_LOG_STREAM_NAME"]
    assert context.client_context is None


def test_the_remaining_time_runs_out_and_never_below_zero() -> None:
    assert LambdaContext("an-id", -1.0).get_remaining_time_in_millis() == 0
    assert 0 < LambdaContext("an-id", 60.0).get_remaining_time_in_millis() <= 60_000


def test_log_writes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    LambdaContext("an-id", 3.0).log("hello")

    assert capsys.readouterr().out == "hello"


@pytest.mark.parametrize("name", OVERRIDES)
def test_each_attribute_can_be_set_by_the_caller(name: str) -> None:
    context = LambdaContext("an-id", 3.0, {name: "mine"})

    assert getattr(context, name) == "mine"


def test_a_method_cannot_be_set_by_the_caller() -> None:
    with pytest.raises(AdapterError, match="get_remaining_time_in_millis"):
        LambdaContext("an-id", 3.0, {"get_remaining_time_in_millis": 5})
