"""Systems that cannot fork: a new interpreter for each instance, sealed by itself.

What is taken away here is what macOS and Windows lack or cannot bear. It is no proof that they
work, only that nothing of it is needed.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

    from e2e.conftest import Project

# Loaded by every interpreter, the instances' too. What the standard library has taken is its own
# (`subprocess` forks by a function of its own), and pytest asks for the user's number.
LACKING = """
    import asyncio, logging.handlers, multiprocessing.util, os, posix, select, selectors, signal
    import socket, sqlite3, subprocess, sys, tempfile, time

    NAMES = {
        os: '''fork forkpty register_at_fork pidfd_open memfd_create unshare setns setsid killpg
            geteuid getgid getpgid chown lchown fchown fchmod mkfifo mknod statvfs fstatvfs
            posix_spawn sysconf sched_getaffinity getxattr setxattr listxattr removexattr sendfile
            copy_file_range splice eventfd posix_fadvise O_PATH O_NOATIME O_NOCTTY ST_RDONLY
            MFD_CLOEXEC''',
        signal: "SIGSTOP SIGCONT SIGALRM SIGHUP SIGUSR1 pidfd_send_signal setitimer set_wakeup_fd",
        socket: "recv_fds send_fds MSG_DONTWAIT",
        select: "poll epoll",
        time: "tzset",
    }
    NAMES[posix] = NAMES[os]
    for module, names in NAMES.items():
        for name in names.split():
            vars(module).pop(name, None)
    for name in ("fcntl", "resource", "grp", "pwd"):
        sys.modules[name] = None
"""
APP = """
    import os, sys, sqlite3, tempfile, threading, time, warnings, logging
    from pathlib import Path
    from flask import Flask, jsonify, request

    app = Flask(__name__)
    SEEN = []

    @app.get("/")
    def home():
        SEEN.append(1)
        print("served by", os.getpid())
        print("and by stderr", file=sys.stderr)
        logging.getLogger("shop").warning("logged")
        return jsonify(pid=os.getpid(), seen=len(SEEN), parent=os.getppid())

    @app.post("/tmp")
    def tmp():
        path = Path("/tmp/upload")
        was_there = path.exists()
        path.write_bytes(request.get_data())
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"x")
        return jsonify(was_there=was_there, size=path.stat().st_size)

    @app.post("/db")
    def db():
        Path("db.json").write_text(Path("db.json").read_text() + "x")
        return "kept"

    @app.post("/thread")
    def thread():
        threading.Thread(target=time.sleep, args=(9,), daemon=True).start()
        return "started"

    @app.post("/hang")
    def hang():
        time.sleep(60)

    @app.post("/die")
    def die():
        os._exit(3)
"""


def run(project: Project, *options: str) -> pytest.RunResult:
    project.ini("stateless_app = shop:app")
    project.write({"sitecustomize.py": LACKING, "shop.py": APP, "db.json": "[]"})
    plugins = ("--disable-plugin-autoload", "-p", "stateless")
    return project.run_as_is(*plugins, "-p", "no:cacheprovider", *options)


def test_requests_are_served_by_new_interpreters(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(project.path))
    project.write({
        "test_it.py": """
            import os
            import sys
            import pytest
            from pytest_stateless import ConfigurationError

            def test_each_is_fresh(stateless, capsys, caplog):
                one, two = stateless.get("/").json(), stateless.get("/").json()
                assert one["seen"] == two["seen"] == 1
                assert len({one["pid"], two["pid"], os.getpid()}) == 3
                assert one["parent"] == os.getpid()
                out, err = capsys.readouterr()
                assert out.count("served by") == 2
                assert err.count("and by stderr") == 2
                assert caplog.messages == ["logged", "logged"]

            def test_a_warm_one_is_kept(stateless):
                with stateless.warm():
                    assert [stateless.get("/").json()["seen"] for _ in range(3)] == [1, 2, 3]

            def test_tmp_is_private_and_wiped(stateless):
                for _ in range(2):
                    assert stateless.post("/tmp", content=b"x" * 1000).json() == {
                        "was_there": False, "size": 1000,
                    }
                assert not os.path.exists("/tmp/upload")

            @pytest.mark.stateless(tmp_size="100 kB")
            def test_tmp_is_limited(stateless):
                assert stateless.post("/tmp", content=b"x" * 200_000).status_code == 500
                assert [one.rule for one in stateless.findings] == ["SL103"]
                pytest.xfail("SL103 is what this shows")

            def test_a_function(stateless):
                assert stateless.call(os.getppid) == os.getpid()

            def test_an_object_of_this_process_cannot_be_had(stateless):
                with pytest.raises(ConfigurationError, match="cannot fork this process"):
                    stateless.use(lambda environ, start_response: [])
                with pytest.raises(ConfigurationError, match="cannot fork this process"):
                    stateless.call(lambda: 1)

            @pytest.mark.stateless(start="cold")
            def test_nor_a_fork(stateless):
                with pytest.raises(ConfigurationError, match="start = 'cold' forks"):
                    stateless.get("/")
        """,
    })
    result = run(project)
    assert result.parseoutcomes() == {"passed": 6, "xfailed": 1}, "\n".join(result.outlines)
    result.stdout.fnmatch_lines(["stateless: *| start spawn | isolation fake *"])


def test_what_is_found_is_the_same(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(project.path))
    project.write({
        "test_it.py": """
            import pytest

            def test_a_database(stateless):
                stateless.post("/db")

            def test_a_thread(stateless):
                stateless.post("/thread")

            @pytest.mark.stateless(timeout="1 s")
            def test_a_hang(stateless):
                stateless.post("/hang")

            def test_a_death(stateless):
                stateless.post("/die")

            def test_the_next_request_works(stateless):
                assert stateless.get("/").status_code == 200
        """,
    })
    result = run(project, "-p", "no:randomly")
    text = result.stdout.str()
    lines = (project.path / "shop.py").read_text().splitlines()
    write, thread, sleep = (
        next(number for number, line in enumerate(lines, 1) if mark in line)
        for mark in ('"db.json").write', "threading.Thread", "time.sleep(60)")
    )
    assert f"shop.py:{write}: SL105" in text, text
    assert f"shop.py:{thread}: SL301" in text, text
    assert f"shop.py:{sleep}: SL502" in text, text
    assert "ended with exit status 3" in text, text
    assert result.parseoutcomes() == {"passed": 1, "failed": 4}
    assert (project.path / "db.json").read_text() == "[]"


def test_an_isolation_that_needs_a_fork_is_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(project.path))
    project.write({"test_it.py": "def test_it(stateless): stateless.get('/')"})
    result = run(project, "--stateless-isolation=namespace")
    assert result.ret != 0
    assert "isolation 'namespace' cannot be had" in result.stdout.str() + result.stderr.str()


def test_nothing_is_left(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project.path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(project.path))
    monkeypatch.setenv("TMPDIR", str(folder))
    project.write({
        "test_it.py": """
            def test_it(stateless):
                for _ in range(3):
                    stateless.get("/")
        """,
    })
    result = run(project)
    result.assert_outcomes(passed=1)
    assert list(folder.iterdir()) == []
    assert not [pid for pid in Path("/proc").iterdir() if _is_instance(pid, project.path)]


def _is_instance(process: Path, folder: Path) -> bool:
    try:
        command = (process / "cmdline").read_bytes()
        return b"live_apart" in command and os.fsencode(folder) in command
    except OSError:
        return False
