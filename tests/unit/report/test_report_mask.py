from __future__ import annotations

import pytest

from pytest_stateless.report.mask import is_secret_name, mask


@pytest.mark.parametrize(
    ("text", "masked"),
    (
        ("SECRET_KEY=abc", "SECRET_KEY=***"),
        ("export TOKEN=abc next", "export TOKEN=*** next"),
        ("PASSWORD=a,b&c rest", "PASSWORD=*** rest"),
        ("{'api_key': 'a\\'b', 'sku': 'tea'}", "{'api_key': '***', 'sku': 'tea'}"),
        ('{"token": "x", "n": 1}', '{"token": "***", "n": 1}'),
        ('"{\\"token\\": \\"abc\\"}"', '"{\\"token\\": \\"***\\"}"'),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("authorization=Bearer abc.def rest", "authorization=*** rest"),
        ("{'Authorization': 'Bearer x y'}", "{'Authorization': '***'}"),
        ("Cookie: a=b; c=d\nHost: x", "Cookie: ***\nHost: x"),
        ("Set-Cookie: session=abc; Path=/", "Set-Cookie: ***"),
        ("(b'cookie', b'a=b')", "(b'cookie', b'***')"),
        ("GET /x?token=abc&q=1", "GET /x?token=***&q=1"),
        ("connect(password='x', user='y')", "connect(password='***', user='y')"),
        ("f(token=abc, x=1)", "f(token=***, x=1)"),
        ("os.environ['SECRET_KEY'] = 'abc'", "os.environ['SECRET_KEY'] = '***'"),
        ("password: 1234", "password: ***"),
        ("aws_secret_access_key=AbC/d+e", "aws_secret_access_key=***"),
        ("id AKIAABCDEFGHIJKLMNOP.", "id ***."),
        ("postgres://u:p@w@host/db", "postgres://u:***@host/db"),
        ("redis://:pw@host", "redis://:***@host"),
        ("SENTRY_DSN=https://abc@o1.ingest.io/1", "SENTRY_DSN=***"),
        ("PASSWORDS = ['a', 'b'] x", "PASSWORDS = *** x"),
        ("password='unfinished", "password='***"),
        (
            "dbPassword=x clientSecret=y authtoken=z",
            "dbPassword=*** clientSecret=*** authtoken=***",
        ),
    ),
)
def test_a_secret_is_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    (
        "keyboard=1 monkey: banana",
        "{'sku': 'tea'}",
        "KeyError: 'sku'",
        "InvalidTokenError: expired",
        "http://localhost:8000/users/@me",
        "open('api_key', 'w')",
        "tests/test_token.py::test_token PASSED",
        "shop/token.py:12: SL101 write-outside-tmp",
        "client.put_object(Bucket='b', Key='a.png')",
        "connect(password=None)",
        "POST /token (request 1)",
        "password=",
        "max_tokens=500",
        "PWD=/home/ann",
        "def login(password: str) -> None:",
    ),
)
def test_an_ordinary_text_stays_as_it_is(text: str) -> None:
    assert mask(text) == text


@pytest.mark.parametrize("name", ("x-api-key", "APIKey", "db.password", "PGPASSWORD", "cookies"))
def test_a_name_is_a_secrets_by_its_words(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ("monkey", "keyboard", "KeyError", "sku", "keys", "", "Key"))
def test_a_name_is_no_secrets_by_its_letters(name: str) -> None:
    assert not is_secret_name(name)
