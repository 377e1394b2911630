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
    platform=find_profile("aws-lambda"),
    places=Places(rootdir="/w"),
    status=500,
)


def app(line: int = 15, source: str = "", *, function: str = "add") -> Frame:
    return Frame(
        path="/w/shop/app.py", line=line, function=function, is_first_party=True, source=source
    )


def library(path: str, line: int = 7) -> Frame:
    return Frame(
        path=f"/venv/lib/site-packages/{path}", line=line, function="save", is_first_party=False
    )


def standard(path: str) -> Frame:
    return Frame(path=f"/usr/lib/python3.12/{path}", line=9, function="run", is_first_party=False)


def refused(operation: str, path: str, *stack: Frame) -> Write:
    return Write(
        operation=operation,
        path=path,
        outcome="refused",
        error=f"[Errno 30] Read-only file system: {path!r}",
        stack=stack or (app(),),
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


def test_a_json_file_that_is_read_and_rewritten_is_a_database() -> None:
    write = Write(
        operation="open('db.json', 'w')",
        path="/w/db.json",
        outcome="refused",
        error="[Errno 30] Read-only file system: 'db.json'",
        stack=(app(15),),
    )
    assert judge_one(write, reads=("/w/db.json",)) == Finding(
        rule="SL105",
        severity=Severity.ERROR,
        message="db.json is rewritten by requests",
        path="shop/app.py",
        line=15,
        cause=(
            "db.json is read and rewritten by requests, as a database; "
            "on aws-lambda it cannot be written."
        ),
        evidence=(
            (
                "shop/app.py:15  open('db.json', 'w')"
                "   refused: [Errno 30] Read-only file system: 'db.json'"
            ),
            "answered 500",
        ),
        fix=("keep the data in a database (DynamoDB, SQL); two instances never share a file"),
        request="POST /entries (request 1, instance 1)",
    )


def test_a_read_in_an_earlier_exchange_of_the_test_counts() -> None:
    context = replace(CONTEXT, reads=frozenset({"/w/db.json"}))
    assert judge_one(refused("open('db.json', 'w')", "/w/db.json"), context=context).rule == "SL105"


@pytest.mark.parametrize(
    ("operation", "path", "rule", "message"),
    (
        ("open('db.json', 'w')", "/w/db.json", "SL101", "db.json cannot be written"),
        ("open('a.jsonl', 'a')", "/w/a.jsonl", "SL105", "a.jsonl is appended to by requests"),
        ("open('a.csv', 'r+')", "/w/a.csv", "SL105", "a.csv is changed by requests"),
        (
            "os.open('a.csv', os.O_WRONLY | os.O_APPEND)",
            "/w/a.csv",
            "SL105",
            "a.csv is appended to by requests",
        ),
        ("open('a.txt', 'a')", "/w/a.txt", "SL101", "a.txt cannot be appended to"),
        ("open('a.log', 'a')", "/w/a.log", "SL101", "a.log cannot be appended to"),
        ("open('a.png', 'xb')", "/w/a.png", "SL101", "a.png cannot be created"),
        ("os.mkdir('up')", "/w/up", "SL101", "folder up cannot be made"),
        ("os.remove('a')", "/w/a", "SL101", "a cannot be removed"),
        ("os.rename('a', 'b')", "/w/b", "SL101", "b cannot be made by a rename"),
        ("os.rename('a', '/tmp/b')", "/w/a", "SL101", "a cannot be moved"),
        ("os.chmod('a', 0o600)", "/w/a", "SL101", "the permissions of a cannot be changed"),
        ("os.symlink('a', 'b')", "/w/b", "SL101", "link b cannot be made"),
        ("os.utime('a')", "/w/a", "SL101", "the times of a cannot be changed"),
        ("socket.bind('s.sock')", "/w/s.sock", "SL101", "socket s.sock cannot be made"),
        ("open('/etc/x', 'w')", "/etc/x", "SL101", "/etc/x cannot be written"),
        (
            "sqlite3.connect('app.db')",
            "/w/app.db",
            "SL105",
            "app.db is a sqlite database that requests write",
        ),
        (
            "INSERT INTO orders (sqlite app.db)",
            "/w/app.db-journal",
            "SL105",
            "app.db is a sqlite database that requests write",
        ),
    ),
)
def test_each_operation_has_its_words(operation: str, path: str, rule: str, message: str) -> None:
    finding = judge_one(refused(operation, path))
    assert (finding.rule, finding.message) == (rule, message)


def test_a_text_file_is_no_database_even_if_it_was_read() -> None:
    finding = judge_one(refused("open('n.txt', 'w')", "/w/n.txt"), reads=("/w/n.txt",))
    assert (finding.rule, finding.message) == ("SL101", "n.txt cannot be rewritten")


def test_a_shelf_is_a_database_whatever_its_name() -> None:
    finding = judge_one(
        refused("open('store.pag', 'wb')", "/w/store.pag", standard("dbm/dumb.py"), app())
    )
    assert (finding.rule, finding.message) == (
        "SL105",
        "store.pag is a dbm database that requests write",
    )


@pytest.mark.parametrize("name", ("db.json.tmp", ".db.json.a1b2", "db.tmp", "db.json~"))
def test_a_temporary_file_next_to_a_database_stands_for_it(name: str) -> None:
    finding = judge_one(refused(f"open({name!r}, 'w')", f"/w/{name}"), reads=("/w/db.json",))
    assert (finding.rule, finding.message) == ("SL105", "db.json is rewritten by requests")


def test_a_named_temporary_file_in_the_databases_folder_stands_for_it() -> None:
    write = refused("os.open('./tmpab12', os.O_RDWR)", "/w/tmpab12", standard("tempfile.py"), app())
    assert judge_one(write, reads=("/w/db.json",)).message == "db.json is rewritten by requests"
    assert judge_one(write, reads=("/w/a/db.json",)).rule == "SL101"
    assert judge_one(write, reads=("/w/a.json", "/w/b.json")).rule == "SL101"


def test_an_atomic_write_is_one_finding_of_the_database() -> None:
    finding = judge_one(
        refused("open('db.json.tmp', 'w')", "/w/db.json.tmp", app(15)),
        refused("os.replace('db.json.tmp', 'db.json')", "/w/db.json", app(17)),
        reads=("/w/db.json",),
    )
    assert (finding.rule, finding.line) == ("SL105", 15)
    assert len(finding.evidence) == 3


def test_a_rename_onto_a_database_is_found_by_its_second_name() -> None:
    write = refused("os.rename('/tmp/x', 'data/db.json')", "/w/data/db.json")
    finding = judge_one(write, reads=("/w/data/db.json",))
    assert finding.message == "data/db.json is rewritten by requests"


def test_the_consequences_of_a_refused_folder_are_its_evidence() -> None:
    finding = judge_one(
        refused("os.mkdir('uploads')", "/w/uploads", standard("os.py"), app(20)),
        refused("open('uploads/a.png', 'wb')", "/w/uploads/a.png", app(21)),
    )
    assert (finding.message, finding.line) == ("folder uploads cannot be made", 20)
    assert [line.split("  ")[0] for line in finding.evidence] == [
        "shop/app.py:20",
        "shop/app.py:21",
        "answered 500",
    ]


def test_writes_at_one_place_are_one_finding_and_at_two_places_two() -> None:
    first = refused("open('a', 'w')", "/w/a", app(1))
    second = refused("open('b', 'w')", "/w/b", app(1))
    other = refused("open('c', 'w')", "/w/c", app(2))
    assert [finding.line for finding in judge(first, second, other)] == [1, 2]


def test_a_swallowed_error_is_told_with_the_answer() -> None:
    context = replace(CONTEXT, status=200)
    finding = judge_one(refused("open('a', 'w')", "/w/a"), context=context)
    assert finding.evidence[-1] == "and the app answered 200 all the same"
    assert finding.severity is Severity.ERROR


def test_a_library_that_falls_back_by_itself_is_a_warning() -> None:
    write = replace(
        refused(
            "os.mkdir('/root/.config/matplotlib')",
            "/root/.config/matplotlib",
            standard("os.py"),
            library("matplotlib/__init__.py", 533),
            app(1, "import matplotlib", function="<module>"),
        ),
        reached_first_party=False,
        phase="start",
    )
    finding = judge_one(write, context=replace(CONTEXT, status=200))
    assert finding.severity is Severity.WARNING
    assert finding.message == "folder /root/.config/matplotlib cannot be made at import"
    assert finding.evidence == (
        "shop/app.py:1  import matplotlib",
        (
            "  matplotlib/__init__.py:533  os.mkdir('/root/.config/matplotlib')   refused: "
            "[Errno 30] Read-only file system: '/root/.config/matplotlib'"
        ),
        "matplotlib went on without it; answered 200",
    )
    assert finding.fix == "point matplotlib to /tmp: MPLCONFIGDIR=/tmp/matplotlib"


def test_a_library_without_an_app_frame_that_fails_the_request_is_an_error() -> None:
    write = replace(
        refused("os.mkdir('flask_session')", "/w/flask_session", library("cachelib/file.py")),
        reached_first_party=False,
        anchor=app(4, "Session(app)"),
    )
    finding = judge_one(write)
    assert (finding.severity, finding.line) == (Severity.ERROR, 4)
    assert finding.fix == "keep sessions in a signed cookie or in a database (DynamoDB, SQL)"
    assert judge_one(write, context=replace(CONTEXT, status=200)).severity is Severity.WARNING


def test_a_write_without_any_place_is_shown_where_the_app_is_defined() -> None:
    write = refused("open('a', 'w')", "/w/a", library("x.py"))
    (finding,) = judge_exchange(Observations(writes=(write,), app_place=app(3)), CONTEXT)
    assert finding.place == "shop/app.py:3"
    assert judge_one(write).place == ""


def test_a_failed_start_says_so() -> None:
    write = replace(refused("open('a', 'w')", "/w/a", app(function="create_app")), phase="start")
    finding = judge_one(write, context=replace(CONTEXT, status=None, has_started=False))
    assert finding.message == "a cannot be written while the instance started"
    assert finding.evidence[-1] == "the app could not start"


def test_a_full_tmp_names_the_file_and_the_size() -> None:
    write = replace(
        refused("open('/tmp/big', 'wb')", "/tmp/big"),
        outcome="full",
        error="[Errno 28] No space left on device",
    )
    finding = judge_one(write)
    assert (finding.rule, finding.message) == (
        "SL103",
        "/tmp/big does not fit into /tmp (512 MB)",
    )
    assert "no space left: [Errno 28]" in finding.evidence[0]


def test_an_allowed_write_is_no_finding() -> None:
    assert judge(replace(refused("open('a', 'w')", "/w/a"), outcome="allowed")) == ()


def test_a_frame_outside_the_users_call_does_not_count_as_its_library() -> None:
    finding = judge_one(refused("open('a', 'w')", "/w/a", app(), library("logging/flask/app.py")))
    assert finding.fix.startswith("write below /tmp")


@pytest.mark.parametrize(
    ("platform", "storage"),
    (("aws-lambda", "S3"), ("cloud-run", "Cloud Storage"), ("vercel", "Vercel Blob")),
)
def test_the_fix_names_what_the_platform_has(platform: str, storage: str) -> None:
    context = replace(CONTEXT, platform=find_profile(platform))
    finding = judge_one(refused("open('up/a.png', 'wb')", "/w/up/a.png"), context=context)
    assert finding.fix == (f"put it into object storage ({storage}); /tmp is for this request only")


def test_a_log_file_is_to_go_to_stdout() -> None:
    finding = judge_one(refused("open('x.out', 'a')", "/w/x.out", standard("logging/__init__.py")))
    assert finding.fix == "log to stdout or stderr; the platform keeps that, files it does not"


def test_many_writes_at_one_place_are_cut() -> None:
    writes = [refused(f"open('f{n}', 'w')", f"/w/f{n}") for n in range(20)]
    assert judge_one(*writes).evidence[-2:] == ("and 12 more like these", "answered 500")


@pytest.mark.parametrize(
    ("operation", "path", "shown"),
    (
        ("open('db.json', 'w')", "/elsewhere/db.json", "db.json"),
        ("open('./out/db.json', 'w')", "/elsewhere/out/db.json", "out/db.json"),
        ("open('/elsewhere/db.json', 'w')", "/elsewhere/db.json", "/elsewhere/db.json"),
        ("open('../db.json', 'w')", "/elsewhere/db.json", "/elsewhere/db.json"),
        (
            "open('/venv/lib/site-packages/lib/c.json', 'w')",
            "/venv/lib/site-packages/lib/c.json",
            "site-packages/lib/c.json",
        ),
    ),
)
def test_a_file_outside_of_the_project_is_named_as_the_app_named_it(
    operation: str, path: str, shown: str
) -> None:
    assert judge_one(refused(operation, path)).message == f"{shown} cannot be written"


def test_a_database_outside_of_the_project_is_named_as_the_app_named_it() -> None:
    sqlite = judge_one(refused("INSERT INTO a (sqlite data/shop.db)", "/elsewhere/data/shop.db"))
    assert sqlite.message.startswith("data/shop.db is a sqlite database")
    write = refused("open('db.json.tmp', 'w')", "/elsewhere/db.json.tmp")
    assert judge_one(write, reads=("/elsewhere/db.json",)).message.startswith("db.json is ")


def test_paths_in_the_evidence_are_short() -> None:
    finding = judge_one(refused("open('/w/out/a.txt', 'w')", "/w/out/a.txt"))
    assert finding.evidence[0] == (
        "shop/app.py:15  open('out/a.txt', 'w')   "
        "refused: [Errno 30] Read-only file system: 'out/a.txt'"
    )


def test_a_temporary_file_is_named_by_its_folder_and_not_by_its_random_name() -> None:
    call = "os.open('/w/up/tmpa1b2', os.O_RDWR | os.O_CREAT | os.O_EXCL)"
    file = refused(call, "/w/up/tmpa1b2", standard("tempfile.py"), app())
    assert judge_one(file).message == "a temporary file in up cannot be created"
    folder = refused("os.mkdir('/w/tmpa1b2')", "/w/tmpa1b2", standard("tempfile.py"), app())
    assert judge_one(folder).message == "folder in the working directory cannot be made"


def test_a_write_whose_error_names_no_path_is_named_by_its_call() -> None:
    assert judge_one(refused("os.mkfifo('a.pipe')", "")).message == "a.pipe cannot be made"
    assert judge_one(refused("file.flush()", "")).message == "a file cannot be written"


def test_a_lock_of_multiprocessing_is_told_to_need_dev_shm() -> None:
    stack = (standard("multiprocessing/synchronize.py"), app(15, "Lock()"))
    finding = judge_one(refused("sl = self._semlock = _multiprocessing.SemLock(", "", *stack))
    assert finding.message == "a lock of multiprocessing cannot be made"
    assert finding.cause.startswith("it needs a writable /dev/shm;")
    assert finding.fix.startswith("use threads")
    assert finding.evidence[0].startswith("shop/app.py:15  Lock()   refused: ")


def test_a_dumb_dbm_is_named_by_the_name_of_its_three_files() -> None:
    write = refused("open('hits.dat', 'w')", "/w/hits.dat", standard("dbm/dumb.py"), app())
    assert judge_one(write).message == "hits is a dbm database that requests write"


def test_a_full_tmp_is_told_where_the_file_is_not_known() -> None:
    write = replace(refused("file.close()", "/tmp"), outcome="full")
    assert judge_one(write).message == "/tmp (512 MB) is full"


@pytest.mark.parametrize(
    ("operation", "fix"),
    (
        ("os.chmod('a.sh', 0o755)", "do it when the app is deployed, or on a copy below /tmp"),
        ("os.remove('a')", "keep files that come and go in object storage (S3), or below /tmp"),
    ),
)
def test_the_fix_fits_what_was_to_be_done(operation: str, fix: str) -> None:
    assert judge_one(refused(operation, "/w/a")).fix == fix


def test_sessions_that_a_library_keeps_in_files_are_not_sent_to_tmp() -> None:
    write = refused("open('s/a', 'w')", "/w/s/a", library("folder_sessions/__init__.py"))
    anchored = replace(write, anchor=app(), reached_first_party=False)
    assert judge_one(anchored).fix.startswith("keep sessions in a signed cookie")


def test_an_error_after_the_head_of_a_response_is_told() -> None:
    late = replace(CONTEXT, status=200, error="OSError: no")
    finding = judge_one(refused("open('a', 'w')", "/w/a"), context=late)
    assert finding.evidence[-1] == "answered 200, then raised OSError: no"


def test_a_request_that_no_instance_has_served_names_none() -> None:
    assert replace(CONTEXT, instance=0).request == "POST /entries (request 1)"
