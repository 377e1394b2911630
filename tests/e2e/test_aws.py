"""A suite whose app keeps its data in AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from e2e.conftest import Project

SHOP = {
    "shop.py": """
        import boto3
        from flask import Flask, request

        app = Flask(__name__)

        @app.put("/<key>")
        def put(key):
            boto3.client("s3").put_object(Bucket="photos", Key=key, Body=request.get_data())
            return "kept"

        @app.get("/<key>")
        def get(key):
            s3 = boto3.client("s3")
            return s3.get_object(Bucket="photos", Key=key)["Body"].read()

        @app.post("/queue")
        def queue():
            orders = boto3.resource("sqs").get_queue_by_name(QueueName="orders")
            orders.send_message(MessageBody=request.get_data(as_text=True))
            return "queued"
    """,
}


@pytest.fixture
def shop(project: Project) -> Project:
    project.ini(
        "stateless_app = shop:app", warnings="error\n    ignore::DeprecationWarning:botocore"
    )
    project.write(SHOP)
    return project


def test_instances_and_the_test_share_it_and_each_test_begins_with_what_its_fixtures_left(
    shop: Project,
) -> None:
    shop.write({
        "conftest.py": """
            import pytest

            @pytest.fixture(scope="session")
            def bucket(stateless_aws):
                stateless_aws.client("s3").create_bucket(Bucket="photos")

            @pytest.fixture(scope="class")
            def tom(stateless_aws, bucket):
                stateless_aws.client("s3").put_object(Bucket="photos", Key="tom", Body=b"meow")

            @pytest.fixture
            def spike(stateless_aws, bucket):
                stateless_aws.client("s3").put_object(Bucket="photos", Key="spike", Body=b"woof")

            @pytest.fixture
            def keys(stateless_aws):
                return lambda: sorted(stateless_aws.observe()["s3"].get("photos", ["no bucket"]))
        """,
        "test_shop.py": """
            import os
            import boto3
            import pytest

            def test_it_is_empty_at_first(stateless_aws, keys):
                assert keys() == ["no bucket"]

            def test_without_it(stateless):
                assert "AWS_ENDPOINT_URL" not in os.environ

            @pytest.mark.parametrize("number", range(3))
            def test_what_a_request_writes_the_next_one_reads(stateless, bucket, keys, number):
                assert keys() == []
                assert stateless.put("/tom", content=b"meow").text == "kept"
                assert stateless.get("/tom").text == "meow"
                assert keys() == ["tom"]
                found = boto3.client("s3").get_object(Bucket="photos", Key="tom")
                assert found["Body"].read() == b"meow"

            class TestTom:
                def test_a_class_has_its_own(self, tom, spike, keys, stateless):
                    assert keys() == ["spike", "tom"]
                    stateless.put("/jerry", content=b"squeak")

                def test_and_finds_it_again(self, tom, keys):
                    assert keys() == ["tom"]

            def test_it_is_gone_after_the_class(bucket, keys):
                assert keys() == []
        """,
    })
    result = shop.run()
    result.assert_outcomes(passed=8)


def test_what_an_example_does_is_gone_before_the_next_one(shop: Project) -> None:
    shop.write({
        "test_shop.py": """
            import pytest
            from hypothesis import given, settings, strategies as st

            @pytest.fixture
            def bucket(stateless_aws):
                stateless_aws.client("s3").create_bucket(Bucket="photos")

            @settings(max_examples=4, deadline=None)
            @given(body=st.binary(min_size=1))
            def test_it(stateless, stateless_aws, bucket, body):
                assert stateless_aws.observe()["s3"] == {"photos": {}}
                stateless.put("/tom", content=body)
                assert stateless.get("/tom").content == body

            def test_the_next_test_begins_anew(stateless_aws):
                assert stateless_aws.observe()["s3"] == {}
        """,
    })
    shop.run("-p", "no:randomly").assert_outcomes(passed=2)


def test_examples_of_tests_that_share_a_function_begin_with_what_their_own_fixtures_left(
    shop: Project,
) -> None:
    shop.write({
        "test_shop.py": """
            import pytest
            from hypothesis import given, settings, strategies as st

            @pytest.fixture
            def bucket(stateless_aws, name):
                stateless_aws.client("s3").create_bucket(Bucket=name)

            @pytest.mark.parametrize("name", ("photos", "sounds"))
            @settings(max_examples=3, deadline=None)
            @given(body=st.binary())
            def test_it(stateless_aws, bucket, name, body):
                assert stateless_aws.observe()["s3"] == {name: {}}
                stateless_aws.client("s3").put_object(Bucket=name, Key="tom", Body=body)

            def test_nothing_of_it_is_kept(stateless_aws):
                assert len(stateless_aws._cloud._states) == 1
        """,
    })
    shop.run("-p", "no:randomly").assert_outcomes(passed=3)


def test_what_motos_decorator_cannot_do_reaches_the_app_in_its_own_words(shop: Project) -> None:
    shop.write({
        "test_shop.py": """
            import boto3
            import pytest
            from botocore.exceptions import ClientError
            from moto import mock_aws

            def ask():
                boto3.client("ssm").describe_patch_groups()

            @mock_aws
            def test_it(stateless, monkeypatch):
                monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
                with pytest.raises(ClientError, match="moto: .*has not been implemented"):
                    stateless.call(ask)
        """,
    })
    shop.run().assert_outcomes(passed=1)


@pytest.mark.parametrize("start", ("cold", "spawn", "snapshot"))
def test_motos_decorator_answers_the_calls_of_instances(shop: Project, start: str) -> None:
    shop.write({
        "test_shop.py": f"""
            import os
            import boto3
            import pytest
            import shop
            from moto import mock_aws

            KEYS = dict(aws_access_key_id="key", aws_secret_access_key="secret")
            MADE_BEFORE = boto3.client("s3", region_name="us-east-1", **KEYS)

            @pytest.fixture
            def s3(monkeypatch):
                monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
                with mock_aws():
                    s3 = boto3.client("s3")
                    s3.create_bucket(Bucket="photos")
                    yield s3

            @pytest.mark.parametrize("number", range(2))
            @pytest.mark.stateless(start="{start}")
            def test_it(stateless, s3, number):
                if "{start}" == "snapshot":
                    stateless.use(shop.app)
                assert "AWS_ENDPOINT_URL" not in os.environ
                assert stateless.put("/tom", content=b"meow").text == "kept"
                assert stateless.get("/tom").text == "meow"
                found = s3.get_object(Bucket="photos", Key="tom")
                assert found["Body"].read() == b"meow"

            def test_a_client_that_was_there_before(stateless, s3):
                def put():
                    MADE_BEFORE.put_object(Bucket="photos", Key="tom", Body=b"meow")
                stateless.call(put)
                assert s3.get_object(Bucket="photos", Key="tom")["Body"].read() == b"meow"
        """,
    })
    shop.run().assert_outcomes(passed=3)


@pytest.mark.parametrize("start", ("spawn", "snapshot"))
def test_it_is_found_from_every_start_method(shop: Project, start: str) -> None:
    shop.write({
        "test_shop.py": f"""
            import pytest
            import shop

            @pytest.mark.stateless(start="{start}")
            def test_it(stateless, stateless_aws):
                if "{start}" == "snapshot":
                    stateless.use(shop.app)
                stateless_aws.client("s3").create_bucket(Bucket="photos")
                stateless_aws.client("sqs").create_queue(QueueName="orders")
                stateless.put("/tom", content=b"meow")
                stateless.post("/queue", content="tea")
                observed = stateless_aws.observe()
                assert list(observed["s3"]["photos"]) == ["tom"]
                assert [one["body"] for one in observed["sqs"]["us-east-1:orders"]] == ["tea"]
        """,
    })
    shop.run().assert_outcomes(passed=1)


def test_one_that_dies_fails_the_test_that_needs_it(shop: Project) -> None:
    shop.write({
        "test_shop.py": """
            import os, signal

            def test_it(stateless, stateless_aws):
                stateless_aws.client("s3").create_bucket(Bucket="photos")
                os.kill(stateless_aws._cloud.worker_pid, signal.SIGKILL)
                stateless.put("/tom", content=b"meow")

            def test_another(stateless_aws):
                pass
        """,
    })
    result = shop.run("-p", "no:randomly")
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines([
        "*ServiceError: AWS (moto): *its process has ended*",
        "*ConnectionRefusedError*",
    ])


def test_each_worker_of_xdist_has_its_own(shop: Project) -> None:
    shop.write({
        "test_shop.py": """
            import pytest

            @pytest.fixture(scope="session")
            def bucket(stateless_aws):
                stateless_aws.client("s3").create_bucket(Bucket="photos")

            @pytest.mark.parametrize("number", range(6))
            def test_it(stateless, stateless_aws, bucket, number):
                assert stateless_aws.observe()["s3"] == {"photos": {}}
                stateless.put(f"/{number}", content=b"meow")
                assert list(stateless_aws.observe()["s3"]["photos"]) == [str(number)]
        """,
    })
    shop.run("-p", "xdist", "-n", "2").assert_outcomes(passed=6)


def test_without_sealing_it_is_there_too(shop: Project) -> None:
    shop.write({
        "test_shop.py": """
            def test_it(stateless, stateless_aws):
                stateless_aws.client("s3").create_bucket(Bucket="photos")
                stateless.put("/tom", content=b"meow")
                assert stateless.get("/tom").text == "meow"
        """,
    })
    shop.run("--no-stateless").assert_outcomes(passed=1)
