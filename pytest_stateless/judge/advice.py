"""What to do about a finding: one line each, in the words of the user's platform."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_stateless.judge.database import is_dbm, is_sqlite
from pytest_stateless.judge.operation import Action, read_action
from pytest_stateless.model.place import frames_within

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_stateless.model.observation import SurvivorKind, Write
    from pytest_stateless.model.place import Frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a platform has for state and for work.

    Attributes:
        database: Databases.
        storage: Object storage.
        queue: Queues that call a function.
        schedule: What calls a function at a time.
    """

    database: str
    storage: str
    queue: str
    schedule: str


_AWS = Offer(database="DynamoDB, SQL", storage="S3", queue="SQS", schedule="EventBridge Scheduler")
_OFFERS: Mapping[str, Offer] = MappingProxyType({
    "aws-lambda": _AWS,
    "cyclic": _AWS,
    "cloud-run": Offer(
        database="Firestore, Cloud SQL",
        storage="Cloud Storage",
        queue="Cloud Tasks",
        schedule="Cloud Scheduler",
    ),
    "vercel": Offer(
        database="Postgres, Redis",
        storage="Vercel Blob",
        queue="Vercel Queues",
        schedule="Vercel Cron Jobs",
    ),
})
_ANY = Offer(
    database="SQL, a key-value store",
    storage="such as S3",
    queue="such as SQS",
    schedule="such as cron",
)

_LIBRARY_SETTINGS: Mapping[str, str] = MappingProxyType({
    "matplotlib": "MPLCONFIGDIR=/tmp/matplotlib",
    "numba": "NUMBA_CACHE_DIR=/tmp/numba",
    "huggingface_hub": "HF_HOME=/tmp/huggingface",
    "transformers": "HF_HOME=/tmp/huggingface",
    "datasets": "HF_HOME=/tmp/huggingface",
    "torch": "TORCH_HOME=/tmp/torch",
    "tiktoken": "TIKTOKEN_CACHE_DIR=/tmp/tiktoken",
    "joblib": "JOBLIB_TEMP_FOLDER=/tmp",
    "nltk": "download_dir='/tmp/nltk_data' and NLTK_DATA=/tmp/nltk_data",
    "tldextract": "TLDEXTRACT_CACHE=/tmp/tldextract",
    "astropy": "XDG_CONFIG_HOME=/tmp and XDG_CACHE_HOME=/tmp",
    "pkg_resources": "PYTHON_EGG_CACHE=/tmp",
    "requests_cache": "cache_name='/tmp/http_cache'",
    "kaggle": "KAGGLE_CONFIG_DIR=/tmp",
    "yfinance": "yfinance.set_tz_cache_location('/tmp')",
})
_STANDARD_LIBRARY = re.compile(r"^.*/lib/python3\.\d+t?/")
_SESSION_LIBRARIES = frozenset({"flask_session", "cachelib", "beaker"})
_UPLOAD_SUFFIXES = frozenset({
    *("png", "jpg", "jpeg", "gif", "webp", "bmp", "svg", "ico", "tif", "tiff"),
    *("pdf", "doc", "docx", "ppt", "pptx", "xls", "xlsx", "htm", "html"),
    *("zip", "gz", "tar", "mp3", "mp4", "wav", "webm", "mov", "avi", "ogg"),
})
_UPLOAD_WORDS = ("upload", "media", "attachment", "avatar", "static", "image")
_AT_DEPLOYMENT = "do it when the app is deployed, or on a copy below /tmp"
_IN_STORAGE = "keep files that come and go in object storage ({storage}), or below /tmp"
_ELSE = (
    "write below /tmp if only this request needs it, "
    "else keep it in a service ({storage}, {database})"
)
_ELSE_KEPT = (
    "remove it before answering if only this request needs it, leave it if it is a cache, "
    "else keep it in a service ({storage}, {database})"
)
_SPECIAL: Mapping[Action, str] = MappingProxyType({
    Action.SET_PERMISSIONS: _AT_DEPLOYMENT,
    Action.SET_OWNER: _AT_DEPLOYMENT,
    Action.SET_TIMES: _AT_DEPLOYMENT,
    Action.SET_ATTRIBUTES: _AT_DEPLOYMENT,
    Action.REMOVE: _IN_STORAGE,
    Action.REMOVE_FOLDER: _IN_STORAGE,
    Action.RENAME: _IN_STORAGE,
})
_UPLOAD_CODE = (
    "/werkzeug/datastructures/",
    "/django/core/files/",
    "/starlette/datastructures",
    "/PIL/",
    "/flask_uploads",
)


def offer_of(platform: str) -> Offer:
    """Return what the platform named `platform` has for state and for work."""
    return _OFFERS.get(platform, _ANY)


def name_library(stack: tuple[Frame, ...]) -> str:
    """Name the installed library that was at work.

    Args:
        stack: Frames, innermost first.

    Returns:
        Its import name, such as `matplotlib`; empty where first-party code did it by itself or
        by the standard library.
    """
    frame = find_library_frame(stack)
    return shorten(frame.path).partition("/")[0].removesuffix(".py") if frame else ""


def find_library_frame(stack: tuple[Frame, ...]) -> Frame | None:
    """Return the innermost frame of an installed library that first-party code called."""
    inner = frames_within(stack)
    return next((frame for frame in inner if "-packages/" in frame.path), None)


def shorten(path: str) -> str:
    """Return the path of a library's file from its top-level package on."""
    library = path.rpartition("-packages/")
    return library[2] if library[1] else _STANDARD_LIBRARY.sub("", path)


def advise_on_database(write: Write, platform: str) -> str:
    """Say what to use in place of a file as a database.

    Args:
        write: The write that showed it.
        platform: Name of the platform.

    Returns:
        One line.
    """
    databases = offer_of(platform).database
    if is_sqlite(write):
        return f"use a database service ({databases}); two instances never share a sqlite file"
    kind = "dbm file" if is_dbm(write) else "file"
    return f"keep the data in a database ({databases}); two instances never share a {kind}"


def advise_on_write(write: Write, platform: str) -> str:
    """Say what to do in place of a write outside `/tmp`.

    Args:
        write: The write.
        platform: Name of the platform.

    Returns:
        One line.
    """
    offer = offer_of(platform)
    library = name_library(write.stack)
    is_kept = write.outcome == "allowed"
    if is_log(write):
        return "log to stdout or stderr; the platform keeps that, files it does not"
    if library in _LIBRARY_SETTINGS:
        return f"point {library} to /tmp: {_LIBRARY_SETTINGS[library]}"
    if library in _SESSION_LIBRARIES or "session" in library:
        return f"keep sessions in a signed cookie or in a database ({offer.database})"
    if _is_upload(write):
        where = f"put it into object storage ({offer.storage})"
        return where if is_kept else f"{where}; /tmp is for this request only"
    if library and not is_kept and not write.reached_first_party and write.anchor is None:
        return f"point the cache or config folder of {library} to /tmp, by its own setting"
    advice = _ELSE_KEPT if is_kept else _SPECIAL.get(read_action(write.operation), _ELSE)
    return advice.format(storage=offer.storage, database=offer.database)


def advise_on_survivor(kind: SurvivorKind, platform: str) -> str:
    """Say what to do in place of work after the response.

    Args:
        kind: What was alive.
        platform: Name of the platform.

    Returns:
        One line.
    """
    offer = offer_of(platform)
    if kind in {"scheduler", "timer"}:
        return f"let a service call the app when it is time ({offer.schedule})"
    first = {
        "thread": "wait for it before answering",
        "task": "await it before answering",
        "process": "wait for it before answering",
        "background": "do it before answering",
        "close": "do it before the last piece of the response",
        "app": "do it before the last body message",
    }[kind]
    return f"{first}, or send the job to a queue ({offer.queue}) that calls the app again"


def is_log(write: Write) -> bool:
    """Tell whether a write is of a log file."""
    return write.path.endswith(".log") or any(
        "/logging/" in frame.path or "/loguru/" in frame.path
        for frame in frames_within(write.stack)
    )


def _is_upload(write: Write) -> bool:
    ending = "/".join(write.path.lower().split("/")[-2:])
    return (
        ending.rpartition(".")[2] in _UPLOAD_SUFFIXES
        or any(word in ending for word in _UPLOAD_WORDS)
        or any(code in frame.path for frame in frames_within(write.stack) for code in _UPLOAD_CODE)
    )
