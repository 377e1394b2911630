"""Masking: values named like secrets, in any text that is shown or written.

A name is a secret's if one of its words is (`API_KEY`, `apiKey`, `x-api-key`, `db.password`);
`monkey`, `keyboard`, `KeyError` and a dict's `sku` are not. Where it is doubtful how far a value
goes, more is masked rather than less. Passwords in URLs and AWS access key ids are masked
whatever they are called.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MASK = "***"

_WORDS = frozenset({
    *("secret", "secrets", "token", "password", "passwords", "passwd", "pwd", "passphrase"),
    *("key", "apikey", "secretkey", "accesskey", "privatekey", "authkey", "signingkey"),
    *("authorization", "cookie", "cookies", "credential", "credentials", "dsn"),
})
_ENDINGS = ("secret", "token", "password", "passwd", "passphrase")
_ERRORS = frozenset({"error", "exception", "warning"})
# AWS calls the key of an object or an item Key; shells keep the working directory in PWD
_ADDRESSES = frozenset({"Key", "PWD", "OLDPWD"})
_WHOLE_LINE = frozenset({"authorization", "cookie", "cookies"})
_HARMLESS = frozenset({
    *("None", "True", "False", "null", "true", "false"),
    *("str", "bytes", "int", MASK),
})

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_QUOTE = re.compile(r"[bBrRfFuU]{0,2}(\\?[\"'])")
_NAME = re.compile(
    r"""(?P<name>(?<![\w-])[A-Za-z_][\w-]*+)(?P<quote>\\?["'])?\]?
        (?P<separator>\s*(?:=>|:=|={1,2}|:(?!:)|,(?=\s*[bBrRfFuU]{0,2}\\?["']))[ \t]*)""",
    re.VERBOSE,
)
_URL_PASSWORD = re.compile(
    # lengths are bounded, for a log may be long and a password is not
    r"((?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s/:@'\"]{0,256}:)(?!\d{1,5}/)"
    r"([^\s'\"]{1,256})(?=@)"
)
_AWS_KEY_ID = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")
_FILE_MODE = re.compile(r"[rwaxbt+]{1,3}")
_SCHEME = re.compile(r"(?:Bearer|Basic|Digest|Token|Negotiate)\s+", re.IGNORECASE)
_NEXT_FIELD = re.compile(r"&[\w.\-\[\]%]+=")
_CLOSERS = ",;)]}\"'&"
_PAIRS = {"(": ")", "[": "]", "{": "}"}


def mask(text: str) -> str:
    """Mask what is named like a secret.

    Args:
        text: Any text: source code, headers, a query, a log line, a `repr`.

    Returns:
        The text with each secret's value replaced by `***`; the same text if there is none.
    """
    pieces: list[str] = []
    done = 0
    for start, end in _secret_spans(text):
        pieces += [text[done:start], MASK]
        done = end
    masked = "".join([*pieces, text[done:]])
    masked = _URL_PASSWORD.sub(rf"\g<1>{MASK}", masked)
    return _AWS_KEY_ID.sub(MASK, masked)


def is_secret_name(name: str) -> bool:
    """Tell whether a value of this name is a secret.

    Args:
        name: Of a variable, a header, a field or a parameter.

    Returns:
        Whether one of its words names a secret.
    """
    words = _split_words(name)
    if name in _ADDRESSES or (words and words[-1] in _ERRORS):
        return False
    return any(word in _WORDS or word.endswith(_ENDINGS) for word in words)


def _split_words(name: str) -> list[str]:
    spaced = _CAMEL.sub("_", name)
    return [word.lower() for word in re.split(r"[_\-.]+", spaced) if word]


def _secret_spans(text: str) -> Iterator[tuple[int, int]]:
    """Find the values to mask, from left to right.

    Args:
        text: Any text.

    Yields:
        Start and end of each.
    """
    position = 0
    while (match := _NAME.search(text, position)) is not None:
        span = _value_span(text, match) if is_secret_name(match["name"]) else None
        if span is None:
            # the separator may begin the next name's own quotes: go on right behind the name
            position = match.end("name")
        else:
            yield span
            position = max(span[1], match.end("name"))


def _value_span(text: str, match: re.Match[str]) -> tuple[int, int] | None:
    start = match.end()
    separator = match["separator"].strip()
    is_after_slash = match.start("name") > 0 and text[match.start("name") - 1] == "/"
    if separator == ":" and is_after_slash:
        return None
    quote = _QUOTE.match(text, start)
    if quote is not None:
        return _quoted_span(text, quote, is_argument=separator == ",", name=match["name"])
    if separator == "," or start >= len(text) or text[start].isspace():
        return None
    end = _bare_end(text, start, match)
    return None if end <= start or text[start:end] in _HARMLESS else (start, end)


def _quoted_span(
    text: str, quote: re.Match[str], *, is_argument: bool, name: str
) -> tuple[int, int] | None:
    start = quote.end()
    end = start
    while end < len(text) and not text.startswith(quote[1], end):
        end += 2 if text[end] == "\\" and len(quote[1]) == 1 else 1
    end = min(end, len(text))
    value = text[start:end]
    is_mode = is_argument and (name in {"key", "Key"} or _FILE_MODE.fullmatch(value))
    return None if is_mode or not value or value == MASK else (start, end)


def _bare_end(text: str, start: int, match: re.Match[str]) -> int:
    line_end = text.find("\n", start)
    line_end = len(text) if line_end < 0 else line_end
    if match["quote"] is None and match["separator"].strip() == ":":
        is_header = not _WHOLE_LINE.isdisjoint(_split_words(match["name"]))
        if is_header:
            return line_end
    if text[start] in _PAIRS:
        return _bracket_end(text, start, line_end)
    scheme = _SCHEME.match(text, start)
    position = scheme.end() if scheme else start
    while position < line_end and not _ends_value(text, position):
        position += 1
    return position


def _bracket_end(text: str, start: int, line_end: int) -> int:
    opener, closer, depth = text[start], _PAIRS[text[start]], 0
    for position in range(start, line_end):
        depth += (text[position] == opener) - (text[position] == closer)
        if depth == 0:
            return position + 1
    return line_end


def _ends_value(text: str, position: int) -> bool:
    letter = text[position]
    if letter.isspace():
        return True
    if letter == "&":
        return _NEXT_FIELD.match(text, position) is not None
    if letter not in _CLOSERS:
        return False
    after = text[position + 1 : position + 2]
    return not after or after.isspace() or after in _CLOSERS
