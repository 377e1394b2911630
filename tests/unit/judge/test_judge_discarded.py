from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_stateless.judge.context import ExchangeContext
from pytest_stateless.judge.exchange import judge_exchange
from pytest_stateless.judge.places import Places
from pytest_stateless.model.finding import Finding
from pytest_stateless.model.observation import Observations, Write
from pytest_stateless.model.place import Frame
from pytest_stateless.model.platform import find_profile
from pytest_stateless.model.rule import Severity

CONTEXT = ExchangeContext(
    title="POST /entries",
    number=1,
    instance=1,
    platform=find_profile("cloud-run"),
    places=Places(rootdir="/w"),
    status=200,
    isolation="namespace",
)
APP = Frame(path="/w/shop/app.py", line=15, function="add", is_first_party=True)


def library(path: str) -> Frame:
    return Frame(
        path=f"/venv/lib/site-packages/{path}", line=7, function="save", is_first_party=False
    )


def allowed(operation: str, path: str, *stack: Frame) -> Write:
    return Write(
        operation=operation,
        path=path,
        outcome="allowed",
        error="",
        stack=stack or (APP,),
        is_on_disk=True,
    )


def judge(
    *writes: Write, reads: tuple[str, ...] = (), context: ExchangeContext = CONTEXT
) -> tuple[Finding, ...]:
    return judge_exchange(Observations(writes=writes, reads=reads), context)


def judge_one(
    *writes: Write, reads: tuple[str, ...] = (), context: ExchangeContext = CONTEXT
) -> Finding:
    (finding,) = judge(*writes, reads=reads, context=context)
    return finding


def test_a_file_that_a_request_leaves_is_a_warning() -> None:
    assert judge_one(allowed("open('report.txt', 'w')", "/w/report.txt")) == Finding(
        rule="SL101",
        severity=Severity.WARNING,
        message="report.txt is written on the instance's own disk",
        path="shop/app.py",
        line=15,
        cause="on cloud-run it is gone with its instance, and no other instance sees it.",
        evidence=(
            "shop/app.py:15  open('report.txt', 'w')   gone with the instance",
            "answered 200",
        ),
        fix=(
            "remove it before answering if only this request needs it, leave it if it is a cache, "
            "else keep it in a service (Cloud Storage, Firestore, Cloud SQL)"
        ),
        request="POST /entries (request 1, instance 1)",
    )


def test_a_file_that_is_used_as_a_database_is_an_error() -> None:
    finding = judge_one(allowed("open('db.json', 'w')", "/w/db.json"), reads=("/w/db.json",))
    assert (finding.rule, finding.severity) == ("SL105", Severity.ERROR)
    assert finding.message == "db.json is rewritten by requests"
    assert finding.cause == (
        "db.json is read and rewritten by requests, as a database; on cloud-run it is gone with "
        "its instance, and no other instance sees it."
    )
    assert finding.fix.startswith("keep the data in a database (Firestore, Cloud SQL)")


@pytest.mark.parametrize(
    ("operation", "message"),
    (
        ("os.remove('mail.txt')", "mail.txt is removed on the instance's own disk"),
        ("os.rename('a', 'mail.txt')", "mail.txt is made by a rename on the instance's own disk"),
        ("open('mail.txt', 'a')", "mail.txt is appended to on the instance's own disk"),
        ("open('mail.txt', 'x')", "mail.txt is created on the instance's own disk"),
    ),
)
def test_a_warning_says_what_became_of_the_file(operation: str, message: str) -> None:
    finding = judge_one(allowed(operation, "/w/mail.txt"))
    assert (finding.message, finding.severity) == (message, Severity.WARNING)


@pytest.mark.parametrize(
    "operation",
    ("os.mkdir('a')", "os.rmdir('a')", "os.chmod('a', 0o600)", "os.utime('a')", "os.symlink('a')"),
)
def test_what_is_around_a_file_holds_nothing_that_could_be_lost(operation: str) -> None:
    assert judge(allowed(operation, "/w/a")) == ()


def test_what_every_instance_writes_as_it_starts_is_no_finding() -> None:
    assert judge(replace(allowed("open('config', 'w')", "/w/config"), phase="start")) == ()


def test_a_log_file_is_told_whenever_it_is_opened() -> None:
    finding = judge_one(replace(allowed("open('app.log', 'a')", "/w/app.log"), phase="start"))
    assert (finding.rule, finding.severity) == ("SL101", Severity.WARNING)
    assert finding.fix.startswith("log to stdout or stderr")
    assert "while the instance started" in finding.message


def test_a_database_that_each_instance_makes_as_it_starts_is_a_warning() -> None:
    write = allowed("CREATE TABLE items (sqlite shop.db)", "/w/shop.db")
    finding = judge_one(replace(write, phase="start"))
    assert (finding.rule, finding.severity) == ("SL105", Severity.WARNING)
    assert finding.message == "shop.db is a sqlite database that each instance writes as it starts"


@pytest.mark.parametrize(
    ("operation", "severity"),
    (
        ("sqlite3.connect('shop.db')", Severity.WARNING),
        ("CREATE TABLE items (sqlite shop.db)", Severity.WARNING),
        ("PRAGMA journal_mode (sqlite shop.db)", Severity.WARNING),
        ("INSERT INTO items (sqlite shop.db)", Severity.ERROR),
        ("UPDATE items (sqlite shop.db)", Severity.ERROR),
        ("DELETE FROM items (sqlite shop.db)", Severity.ERROR),
        ("REPLACE INTO items (sqlite shop.db)", Severity.ERROR),
        ("WITH (sqlite shop.db)", Severity.ERROR),
    ),
)
def test_only_what_changes_rows_loses_data(operation: str, severity: Severity) -> None:
    finding = judge_one(allowed(operation, "/w/shop.db"))
    assert (finding.rule, finding.severity) == ("SL105", severity)
    assert finding.cause.endswith("on cloud-run it is gone with its instance, and no other "
                                  "instance sees it.")  # fmt: skip


def test_a_database_is_reported_at_the_line_that_loses_data() -> None:
    made = allowed("sqlite3.connect('shop.db')", "/w/shop.db", replace(APP, line=3))
    filled = allowed("INSERT INTO items (sqlite shop.db)", "/w/shop.db", replace(APP, line=9))
    finding = judge_one(made, filled)
    assert (finding.line, finding.severity) == (9, Severity.ERROR)
    assert len(finding.evidence) == 3


@pytest.mark.parametrize(
    "write",
    (
        allowed("INSERT INTO responses (sqlite http_cache.sqlite)", "/w/http_cache.sqlite"),
        allowed("open('.cache/x.json', 'a')", "/w/.cache/x.json"),
        allowed(
            "INSERT INTO r (sqlite web.sqlite)", "/w/web.sqlite", library("diskcache/core.py"), APP
        ),
    ),
)
def test_what_is_named_a_cache_is_none_to_miss(write: Write) -> None:
    finding = judge_one(write)
    assert (finding.rule, finding.severity) == ("SL105", Severity.WARNING)


def test_a_file_that_finds_no_room_is_told_once() -> None:
    write = allowed("open('big', 'wb')", "/w/big")
    full = replace(write, outcome="full", error="[Errno 28] No space left on device")
    finding = judge_one(write, full)
    assert (finding.rule, finding.severity) == ("SL103", Severity.ERROR)
    assert finding.message == "big does not fit on the instance's own disk (256 MB)"
    assert finding.cause == "that disk is kept in memory, and may take half of it (256 MB)."


def test_tmp_that_is_full_is_told_as_ever() -> None:
    full = replace(allowed("write", "/tmp/big"), outcome="full", error="[E]", is_on_disk=False)
    assert judge_one(full).message == "/tmp/big does not fit into /tmp (256 MB)"


REFUSED = replace(
    allowed("open('theirs', 'a')", "/srv/theirs"),
    outcome="refused",
    error="[Errno 75] Value too large for defined data type: '/srv/theirs'",
)


def test_what_this_machine_refuses_and_the_platform_does_not_is_a_warning_that_says_so() -> None:
    finding = judge_one(REFUSED, context=replace(CONTEXT, status=500))
    assert (finding.rule, finding.severity) == ("SL101", Severity.WARNING)
    assert finding.message == "theirs cannot be appended to here"
    assert finding.cause == (
        "here it is not on the instance's own disk, because it is another user's or the "
        "machine's; on cloud-run it is gone with its instance, and no other instance sees it."
    )
    assert "refused: [Errno 75]" in finding.evidence[0]


def test_a_database_that_this_machine_refuses_is_an_error_all_the_same() -> None:
    finding = judge_one(replace(REFUSED, operation="open('a.csv', 'a')", path="/srv/a.csv"))
    assert (finding.rule, finding.severity) == ("SL105", Severity.ERROR)


def test_a_move_to_another_filesystem_is_told_with_what_moves_there() -> None:
    write = replace(
        REFUSED, operation="os.rename('/tmp/a', 'b')", path="/w/b", error="[Errno 18] Invalid ..."
    )
    finding = judge_one(write)
    assert finding.cause.startswith("here /tmp and the instance's own disk are two filesystems")
    assert finding.fix == "use shutil.move, which copies where it must"


def test_a_platform_that_refuses_by_itself_is_not_said_to_discard() -> None:
    platform = replace(find_profile("aws-lambda"), writes="discard")
    finding = judge_one(
        allowed("open('a', 'w')", "/w/a"), context=replace(CONTEXT, platform=platform)
    )
    assert finding.cause == (
        "on aws-lambda it cannot be written; here it is gone with its instance."
    )
    assert finding.severity is Severity.WARNING


def test_an_app_that_failed_for_another_reason_is_not_said_to_have_answered() -> None:
    context = replace(CONTEXT, status=None, error="ValueError: no")
    finding = judge_one(allowed("open('a', 'w')", "/w/a"), context=context)
    assert finding.evidence[-1] == "raised ValueError: no"
