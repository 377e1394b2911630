"""Start method `snapshot`: what the test process has made is served by forks of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

    from e2e.conftest import Project

# An app that exists only in the suite: a factory with arguments that no text can say.
FACTORY = """
    import os
    from flask import Flask, jsonify

    def create_app(database, clock):
        app = Flask(__name__)

        @app.get("/")
        def home():
            return jsonify(pid=os.getpid(), items=database, time=clock(), tests=len(TESTS))

        @app.post("/<item>")
        def add(item):
            database.append(item)
            return jsonify(database)

        return app

    TESTS = []
"""
FIXTURES = """
    import pytest
    from shop import create_app

    @pytest.fixture
    def database():
        return ["tea"]

    @pytest.fixture
    def app(database):
        return create_app(database, clock=lambda: "noon")
"""


def passes(result: pytest.RunResult, count: int, **others: int) -> None:
    assert result.parseoutcomes() == {"passed": count} | others, "\n".join(result.outlines)


def test_an_app_object_is_served_as_the_test_has_set_it_up(project: Project) -> None:
    project.write({
        "shop.py": FACTORY,
        "conftest.py": FIXTURES,
        "test_it.py": """
            import os
            import shop

            def test_it_is_the_test_s_own(stateless, app, database):
                database.append("cake")
                stateless.use(app)
                answer = stateless.get("/").json()
                assert answer["items"] == ["tea", "cake"]
                assert answer["time"] == "noon"
                assert answer["pid"] != os.getpid()

            def test_what_a_request_changes_is_gone_with_its_instance(stateless, app, database):
                stateless.use(app)
                assert stateless.post("/cake").json() == ["tea", "cake"]
                assert stateless.get("/").json()["items"] == ["tea"]
                assert database == ["tea"]

            def test_what_the_test_changes_later_is_there_too(stateless, app, database):
                stateless.use(app)
                stateless.get("/")
                database.append("late")
                assert stateless.get("/").json()["items"] == ["tea", "late"]

            def test_a_warm_instance_keeps_what_it_has(stateless, app):
                stateless.use(app)
                with stateless.warm():
                    stateless.post("/cake")
                    assert stateless.get("/").json()["items"] == ["tea", "cake"]
                assert stateless.get("/").json()["items"] == ["tea"]

            def test_patches_are_there(stateless, app, monkeypatch):
                monkeypatch.setattr(shop, "TESTS", [1, 2, 3])
                monkeypatch.setenv("LATE", "1")
                stateless.use(app)
                assert stateless.get("/").json()["tests"] == 3

            def test_it_counts_for_one_test(stateless):
                import pytest
                from pytest_stateless import ConfigurationError
                with pytest.raises(ConfigurationError, match="which counts for one test"):
                    stateless.get("/")
        """,
    })
    passes(project.run(), 6)


def test_fastapi_s_overrides_and_its_lifespan_are_the_instance_s(project: Project) -> None:
    project.write({
        "shop.py": """
            import contextlib, os
            from fastapi import Depends, FastAPI

            STARTED = []

            @contextlib.asynccontextmanager
            async def lifespan(app):
                STARTED.append(os.getpid())
                yield

            app = FastAPI(lifespan=lifespan)

            def user():
                raise RuntimeError("no session")

            @app.get("/")
            async def home(name: str = Depends(user)):
                return {"name": name, "started": STARTED, "pid": os.getpid()}
        """,
        "test_it.py": """
            import asyncio
            import pytest
            from shop import STARTED, app, user

            def check(answer):
                answer = answer.json()
                assert answer["name"] == "ann"
                assert answer["started"] == [answer["pid"]], "started once, after the fork"
                assert STARTED == []

            def test_it(stateless):
                app.dependency_overrides[user] = lambda: "ann"
                stateless.use(app)
                check(stateless.get("/"))
                check(stateless.get("/"))

            def test_inside_a_running_event_loop(stateless):
                stateless.use(app)

                async def main():
                    async with stateless.async_client() as client:
                        one, two = await asyncio.gather(client.get("/"), client.get("/"))
                    check(one)
                    check(two)
                    check(stateless.get("/"))

                asyncio.run(main())

            def test_inside_trio(stateless):
                trio = pytest.importorskip("trio")
                stateless.use(app)

                async def main():
                    async with stateless.async_client() as client:
                        check(await client.get("/"))

                trio.run(main)
        """,
    })
    passes(project.run(), 3)


def test_a_lambda_handler_and_a_named_app_can_be_snapshots_too(project: Project) -> None:
    project.ini("stateless_app = shop:app", "stateless_start = snapshot")
    project.write({
        "shop.py": """
            import os
            VALUE = "as written"
            def app(environ, start_response):
                start_response("200 OK", [("X-Pid", str(os.getpid()))])
                return [VALUE.encode()]
        """,
        "test_it.py": """
            import os
            import sys

            def test_a_handler(stateless):
                seen = []
                def handler(event, context):
                    seen.append(event)
                    return {"seen": seen, "memory": context.memory_limit_in_mb}
                stateless.use(handler)
                assert stateless.invoke({"id": 1}) == {"seen": [{"id": 1}], "memory": "1024"}
                assert stateless.invoke({"id": 2})["seen"] == [{"id": 2}]
                assert seen == []

            def test_by_name_as_the_test_has_patched_it(stateless, monkeypatch):
                import shop
                monkeypatch.setattr(shop, "VALUE", "patched")
                answer = stateless.get("/")
                assert answer.text == "patched"
                assert answer.headers["X-Pid"] != str(os.getpid())

            def test_by_name_without_importing_it_here(stateless, monkeypatch):
                monkeypatch.delitem(sys.modules, "shop", raising=False)
                assert stateless.get("/").text == "as written"
                assert "shop" not in sys.modules
        """,
    })
    passes(project.run(), 3)


def test_closures_run_in_a_fork_of_the_test_process(project: Project) -> None:
    project.write({
        "test_it.py": """
            import os
            import pytest
            from pytest_stateless import ConfigurationError

            def test_a_closure(stateless, tmp_path):
                known = {"a": 1}
                def work(more, *, key):
                    known[key] = more
                    return known, os.getpid()
                result, pid = stateless.call(work, 2, key="b")
                assert result == {"a": 1, "b": 2}
                assert known == {"a": 1}
                assert pid != os.getpid()

            def test_its_exceptions_are_raised(stateless):
                def work():
                    raise ValueError("no tea")
                with pytest.raises(ValueError, match="no tea"):
                    stateless.call(work)

            def test_an_open_object_as_an_argument(stateless, tmp_path):
                (tmp_path / "note").write_text("kept")
                with open(tmp_path / "note") as file:
                    assert stateless.call(lambda file: file.read(), file) == "kept"

            @pytest.mark.stateless(start="cold")
            def test_only_where_a_fork_may_be_taken(stateless):
                with pytest.raises(ConfigurationError, match=r"start = 'cold' \\(marker\\)"):
                    stateless.call(lambda: 1)
        """,
    })
    passes(project.run(), 4)


def test_output_logs_and_warnings_reach_the_test_once(project: Project) -> None:
    project.write({
        "test_it.py": """
            import logging, os, sys, subprocess, threading, warnings
            import pytest

            kept = sys.stdout

            @pytest.fixture
            def app():
                early = sys.stderr
                logging.getLogger("shop").setLevel(logging.INFO)

                def app(environ, start_response):
                    print("printed")
                    print("to a stream that was kept", file=early)
                    os.write(1, b"by descriptor\\n")
                    subprocess.run(["echo", "by a child"], check=True)
                    logging.getLogger("shop").info("logged")
                    warnings.warn("old", DeprecationWarning)
                    thread = threading.Thread(target=lambda: 1 / 0)
                    thread.start(); thread.join()
                    start_response("200 OK", [])
                    return [b""]
                return app

            @pytest.mark.parametrize("fixture", ("capfd", "capsys"))
            def test_it(stateless, app, caplog, request, fixture):
                capture = request.getfixturevalue(fixture)
                stateless.use(app)
                print("before", end="")
                with pytest.warns(DeprecationWarning, match="old"):
                    stateless.get("/")
                out, err = capture.readouterr()
                lines = ["printed", "by descriptor", "by a child"]
                assert sorted(out.removeprefix("before").splitlines()) == sorted(lines), out
                assert "ZeroDivisionError" in err
                assert [record.message for record in caplog.records] == ["logged"]
        """,
    })
    passes(project.run(), 2)


def test_findings_name_the_app_s_line_and_never_the_test_s(project: Project) -> None:
    project.write({
        "shop.py": """
            import json, threading, time
            import library

            def make(path):
                def app(environ, start_response):
                    if environ["PATH_INFO"] == "/db":
                        (path / "db.json").write_text(json.dumps({}))  # here: SL
                    elif environ["PATH_INFO"] == "/thread":
                        threading.Thread(target=time.sleep, args=(9,)).start()  # here: SL301
                    elif environ["PATH_INFO"] == "/library":
                        library.cache(path)  # here: by a library
                    start_response("200 OK", [])
                    return [b""]
                return app
        """,
        "site-packages/library.py": """
            def cache(path):
                try:
                    open(path / "cache.bin", "wb")
                except OSError:
                    pass

            def handler(event, context):
                cache(__import__("pathlib").Path("."))
        """,
        "test_it.py": """
            import sys
            sys.path.append("site-packages")
            import pytest
            import shop

            @pytest.fixture
            def app(tmp_path):
                return shop.make(tmp_path)

            @pytest.mark.parametrize("path", ("db", "thread", "library"))
            def test_it(stateless, app, path):
                stateless.use(app)
                stateless.get(f"/{path}")
                found = [(one.rule, one.path, one.line) for one in stateless.findings]
                assert not found

            def test_a_library_that_no_app_calls(stateless):
                import library
                stateless.use(library.handler)
                for _ in range(2):
                    stateless.invoke({})
                print([(one.rule, one.path, one.line) for one in stateless.findings])
        """,
    })
    result = project.run("-rA")
    lines = (project.path / "shop.py").read_text().splitlines()
    (db,) = (number for number, line in enumerate(lines, 1) if "here: SL" in line and "db" in line)
    (thread,) = (number for number, line in enumerate(lines, 1) if "here: SL301" in line)
    (call,) = (number for number, line in enumerate(lines, 1) if "here: by a library" in line)
    text = result.stdout.str()
    assert f"('SL101', 'shop.py', {db})" in text, text
    assert f"\n[('SL101', 'shop.py', {call})]\n" in text, "where the app calls the same"
    assert f"('SL301', 'shop.py', {thread})" in text, text
    assert f"('SL101', 'shop.py', {call})" in text, text


def test_open_files_of_the_test_process_can_only_be_read(project: Project) -> None:
    project.write({
        "test_it.py": """
            import os, sqlite3, tempfile
            import pytest

            def outcome(work):
                try:
                    work()
                except OSError as error:
                    return type(error).__name__
                return "done"

            def test_files(stateless, tmp_path):
                log = open(tmp_path / "app.log", "w", buffering=1)
                log.write("first\\n")
                folder = os.open(tmp_path, os.O_RDONLY)
                reader = open(tmp_path / "app.log")

                def attack():
                    return [
                        outcome(lambda: os.write(log.fileno(), b"escaped")),
                        outcome(lambda: os.ftruncate(log.fileno(), 0)),
                        outcome(lambda: os.open("new", os.O_CREAT | os.O_WRONLY, dir_fd=folder)),
                        outcome(lambda: os.open(f"/proc/self/fd/{reader.fileno()}", os.O_RDWR)),
                        outcome(lambda: os.open(f"/proc/self/fd/{folder}/x", os.O_CREAT, 0o600)),
                        outcome(lambda: os.open(f"/proc/self/fd/{log.fileno()}", os.O_RDWR)),
                        outcome(lambda: os.fchmod(reader.fileno(), 0o777)),
                    ]

                outcomes = stateless.call(attack)
                assert "done" not in outcomes, outcomes
                assert os.listdir(tmp_path) == ["app.log"]
                assert (tmp_path / "app.log").read_text() == "first\\n"
                assert stateless.call(lambda: reader.read()) == "first\\n"
                assert reader.read() == "first\\n", "its position is its own"

            def test_files_without_a_name_are_copies(stateless):
                with tempfile.TemporaryFile() as file:
                    file.write(b"kept")
                    file.flush()
                    def work():
                        file.seek(0)
                        found = file.read()
                        file.write(b" and more")
                        file.flush()
                        return found
                    assert stateless.call(work) == b"kept"
                    file.seek(0)
                    assert file.read() == b"kept"

            def test_what_is_open_in_a_service_path_stays(stateless, tmp_path):
                stateless.service_path(tmp_path)
                with open(tmp_path / "queue", "w", buffering=1) as file:
                    stateless.call(lambda: file.write("sent\\n"))
                assert (tmp_path / "queue").read_text() == "sent\\n"

            def test_a_database_is_read_only(stateless, tmp_path):
                path = tmp_path / "db.sqlite3"
                connection = sqlite3.connect(path)
                connection.execute("create table t (x)")
                connection.commit()
                def work():
                    connection.execute("insert into t values (1)")
                    connection.commit()
                with pytest.raises(sqlite3.OperationalError):
                    stateless.call(work)
                assert connection.execute("select * from t").fetchall() == []
                connection.close()
        """,
    })
    result = project.run()
    assert result.parseoutcomes().get("passed") == 3, "\n".join(result.outlines)
    result.stdout.fnmatch_lines([
        "*test_files0/app.log is open for writing in the test process; *",
    ])


def test_connections_are_not_shared(project: Project) -> None:
    project.write({
        "test_it.py": """
            import sys, types
            import pytest
            import sqlalchemy as sa
            from pytest_stateless import StatelessWarning

            def test_an_engine_s_pool_is_the_instance_s_own(stateless, tmp_path):
                stateless.service_path(tmp_path)
                engine = sa.create_engine(f"sqlite:///{tmp_path}/db.sqlite3")
                with engine.begin() as connection:
                    connection.execute(sa.text("create table t (x)"))
                pool = engine.pool

                def work():
                    with engine.begin() as connection:
                        connection.execute(sa.text("insert into t values (1)"))
                    return engine.pool is pool

                assert stateless.call(work) is False
                with engine.connect() as connection:
                    assert connection.execute(sa.text("select x from t")).all() == [(1,)]
                assert engine.pool is pool
                engine.dispose()

            def test_a_database_in_memory_is_part_of_the_snapshot(stateless):
                engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
                with engine.begin() as connection:
                    connection.execute(sa.text("create table t (x)"))

                def work():
                    with engine.begin() as connection:
                        connection.execute(sa.text("insert into t values (1)"))
                        return len(connection.execute(sa.text("select x from t")).all())

                assert stateless.call(work) == stateless.call(work) == 1
                engine.dispose()

            def test_another_library_s_connection_is_named(stateless, monkeypatch):
                module = types.ModuleType("psycopg")
                class Connection:
                    closed = False
                Connection.__module__, Connection.__qualname__ = "psycopg", "Connection"
                module.Connection = Connection
                monkeypatch.setitem(sys.modules, "psycopg", module)
                connection = Connection()
                with pytest.warns(StatelessWarning, match="an open psycopg.Connection"):
                    stateless.call(lambda: None)
                connection.closed = True
        """,
    })
    passes(project.run(), 3)


def test_a_patch_that_cold_instances_do_not_have_is_told_once(project: Project) -> None:
    project.ini("stateless_app = shop:app", warnings="default")
    project.write({
        "shop.py": """
            def now():
                return b"real"
            def app(environ, start_response):
                start_response("200 OK", [])
                return [now()]
        """,
        "test_it.py": """
            import colorsys
            import pytest
            import shop

            def patch(monkeypatch):
                monkeypatch.setattr(shop, "now", lambda: b"fake")  # here

            def test_an_object(stateless, monkeypatch):
                patch(monkeypatch)
                assert stateless.get("/").content == b"real"
                assert stateless.get("/").content == b"real"

            def test_a_name(stateless, monkeypatch):
                monkeypatch.setattr("shop.now", lambda: b"fake")
                stateless.get("/")

            def test_undone(stateless, monkeypatch):
                with monkeypatch.context() as patch:
                    patch.setattr(shop, "now", lambda: b"fake")
                stateless.get("/")

            def test_somebody_else_s_module(stateless, monkeypatch):
                monkeypatch.setattr(colorsys, "ONE_SIXTH", None)
                stateless.get("/")

            @pytest.mark.stateless(start="snapshot")
            def test_a_snapshot(stateless, monkeypatch):
                patch(monkeypatch)
                assert stateless.get("/").content == b"fake"
        """,
    })
    result = project.run("-p", "no:randomly")
    passes(result, 5, warnings=2)
    text = result.stdout.str()
    assert "monkeypatch.setattr of shop, 'now' has no effect on instances" in text
    assert "start='snapshot'" in text
    assert "stateless_setup" in text


def test_other_threads_are_no_obstacle_and_named_where_they_are_missed(project: Project) -> None:
    project.write({
        "test_it.py": """
            import concurrent.futures, threading
            import pytest

            def test_a_thread_goes_on_here_and_is_not_there(stateless):
                stop = threading.Event()
                thread = threading.Thread(target=stop.wait, name="poller")
                thread.start()
                assert stateless.call(lambda: threading.active_count()) == 1
                assert thread.is_alive()
                stop.set()
                thread.join()

            def test_requests_from_several_threads(stateless):
                def serve(number):
                    return stateless.call(lambda: number * 2)
                with concurrent.futures.ThreadPoolExecutor(4) as pool:
                    assert list(pool.map(serve, range(8))) == [0, 2, 4, 6, 8, 10, 12, 14]

            @pytest.mark.stateless(timeout="1 s")
            def test_a_pool_that_was_used_before(stateless):
                with concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="workers") as pool:
                    pool.submit(int).result()
                    stateless.call(lambda: pool.submit(int).result())
        """,
    })
    result = project.run()
    passes(result, 2, failed=1)
    result.stdout.fnmatch_lines(["*lacks its other threads (workers_0)*"])
    assert "SL502" in result.stdout.str()


def test_a_snapshot_that_dies_or_takes_too_much_is_told(project: Project) -> None:
    project.write({
        "test_it.py": """
            import os, signal
            import pytest

            def test_a_signal(stateless):
                stateless.call(lambda: os.kill(os.getpid(), signal.SIGSEGV))

            @pytest.mark.stateless(memory="64 MB")
            def test_memory(stateless):
                def work():
                    return len([bytearray(1 << 20) for _ in range(200)])
                stateless.call(work)

            @pytest.mark.stateless(memory="64 MB")
            def test_what_the_test_process_has_does_not_count(stateless):
                much = b"x" * (100 << 20)
                assert stateless.call(lambda: much[:3]) == b"xxx"

            @pytest.mark.stateless(allow=["SL301  # what this is about"])
            def test_a_daemon_is_gone_with_its_instance(stateless, tmp_path):
                def work():
                    if os.fork() == 0:
                        os.setsid()
                        if os.fork() == 0:
                            signal.pause()
                        os._exit(0)
                    os.wait()
                stateless.call(work)
                stateless.findings
                assert not [one for one in os.listdir("/proc") if one.isdigit() and is_ours(one)]

            def is_ours(pid):
                try:
                    with open(f"/proc/{pid}/stat") as file:
                        state, parent = file.read().rpartition(")")[2].split()[:2]
                    with open(f"/proc/{pid}/cmdline") as file:
                        return state != "Z" and "test_it" in file.read() and int(pid) != os.getpid()
                except OSError:
                    return False
        """,
    })
    result = project.run("-p", "no:randomly", "test_it.py")
    text = result.stdout.str()
    passes(result, 2, failed=2)
    assert "died of SIGSEGV" in text
    assert "SL503" in text


def test_without_enforcement_the_object_is_served_here(project: Project) -> None:
    project.write({
        "shop.py": FACTORY,
        "conftest.py": FIXTURES,
        "test_it.py": """
            import os

            def test_an_app(stateless, app):
                stateless.use(app)
                assert stateless.get("/").json()["pid"] == os.getpid()
                stateless.post("/cake")
                assert stateless.get("/").json()["items"] == ["tea", "cake"]

            def test_a_closure(stateless):
                assert stateless.call(lambda: os.getpid()) == os.getpid()
        """,
    })
    passes(project.run("--no-stateless"), 2)


def test_wrong_use_is_told(project: Project) -> None:
    project.write({
        "test_it.py": """
            import pytest
            from pytest_stateless import ConfigurationError

            def test_no_app(stateless):
                with pytest.raises(ConfigurationError, match="3 is not callable"):
                    stateless.use(3)

            def test_no_convention(stateless):
                stateless.use(lambda one: one)
                with pytest.raises(ConfigurationError, match="neither WSGI"):
                    stateless.get("/")

            @pytest.mark.stateless(start="spawn")
            def test_another_start_method(stateless):
                with pytest.raises(ConfigurationError, match=r"start = 'spawn' \\(marker\\)"):
                    stateless.use(lambda environ, start_response: [])
        """,
    })
    passes(project.run(), 3)
