from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_thread_that_outlives_the_request_is_told_with_its_target_and_place(
    watch: Callable[..., Any],
) -> None:
    seen = watch("""
        import threading, time
        def mail():
            time.sleep(30)
        def main():
            threading.Thread(target=mail, name='mailer', daemon=True).start()
    """)

    survivor = seen.survivor
    assert (survivor["kind"], survivor["name"], survivor["target"]) == (
        "thread",
        "mailer",
        "app.mail",
    )
    assert survivor["runs_first_party"] is True
    first = next(frame for frame in survivor["stack"] if frame["is_first_party"])
    assert first["line"] == 6


@pytest.mark.parametrize(
    ("statement", "kind", "target"),
    (
        ("threading.Timer(30, mail).start()", "timer", "app.mail"),
        ("threading.Thread(target=functools.partial(mail)).start()", "thread", "app.mail"),
        ("threading.Thread(target=copy_context().run, args=(mail,)).start()", "thread", "app.mail"),
        ("threading.Thread(target=time.sleep, args=(30,)).start()", "thread", "time.sleep"),
        ("Sub().start()", "thread", "app.Sub.run"),
        ("POOL.submit(mail)", "thread", "app.mail"),
        ("[POOL.submit(mail) for _ in range(5)]", "thread", "app.mail"),
    ),
)
def test_work_of_every_make_is_told_with_what_it_runs(
    watch: Callable[..., Any], statement: str, kind: str, target: str
) -> None:
    seen = watch(f"""
        import functools, threading, time
        from concurrent.futures import ThreadPoolExecutor
        from contextvars import copy_context
        POOL = ThreadPoolExecutor(max_workers=1)
        def mail():
            time.sleep(30)
        class Sub(threading.Thread):
            def run(self):
                mail()
        def main():
            {statement}
    """)

    survivor = seen.survivor
    assert (survivor["kind"], survivor["target"]) == (kind, target)
    assert survivor["phase"] == "request"
    assert survivor["runs_first_party"] is True


@pytest.mark.parametrize(
    "statement",
    (
        "thread = threading.Thread(target=mail); thread.start(); thread.join()",
        "ThreadPoolExecutor().submit(mail).result()",
        "asyncio.run(asyncio.to_thread(mail))",
        "keep.append(ThreadPoolExecutor()); keep[0].submit(mail).result()",
        "timer = threading.Timer(30, mail); timer.start(); timer.cancel(); timer.join()",
        "subprocess.run(['true'])",
        "keep.append(subprocess.Popen(['true'])); keep[0].wait()",
        "os.waitpid(os.posix_spawn('/bin/true', ['true'], {}), 0)",
        "anyio.run(anyio.to_thread.run_sync, mail)",
    ),
)
def test_work_that_is_done_is_no_survivor(watch: Callable[..., Any], statement: str) -> None:
    if "anyio" in statement:
        pytest.importorskip("anyio")
    seen = watch(f"""
        import asyncio, os, subprocess, threading
        from concurrent.futures import ThreadPoolExecutor
        {"import anyio" if "anyio" in statement else ""}
        keep = []
        def mail(): ...
        def main():
            {statement}
    """)

    assert "Error" not in seen.stderr
    assert seen.survivors == []


def test_a_worker_that_has_given_its_result_and_not_yet_ended_is_no_survivor(
    watch: Callable[..., Any],
) -> None:
    seen = watch("""
        import queue, threading
        from concurrent.futures import ThreadPoolExecutor
        POOL, gate, full = ThreadPoolExecutor(max_workers=1), threading.Event(), queue.Queue(1)
        def mail(): gate.wait()
        def main():
            full.put(None)
            future = POOL.submit(mail)
            future.add_done_callback(full.put)  # waits inside of the worker
            gate.set()
            future.result()
            threading.Timer(0.5, full.get).start()
    """)

    assert "Error" not in seen.stderr
    assert [one["kind"] for one in seen.survivors] == ["timer"]


def test_a_survivor_is_told_once_and_new_work_of_the_same_pool_again(
    watch: Callable[..., Any],
) -> None:
    seen = watch(
        """
        import threading
        from concurrent.futures import ThreadPoolExecutor
        POOL, ends, turn = ThreadPoolExecutor(max_workers=1), [], 0
        def first(): ends[0].wait()
        def second(): ends[1].wait()
        def main():
            global turn
            turn += 1
            if turn == 1:
                ends.extend([threading.Event(), threading.Event()])
                POOL.submit(first)
            if turn == 3:
                POOL.submit(second)
                ends[0].set()
                threading.Event().wait(0.2)
        """,
        requests=4,
    )

    told = [[one["target"] for one in request["survivors"]] for request in seen.requests]
    assert told == [["app.first"], [], ["app.second"], []]


def test_a_librarys_own_thread_below_the_app_does_not_run_first_party(
    watch: Callable[..., Any],
) -> None:
    seen = watch(
        "import telemetry\ndef main():\n    telemetry.start()\n",
        files={
            "lib/site-packages/telemetry.py": """
            import threading, time
            def loop():
                time.sleep(30)
            def start():
                threading.Thread(target=loop, daemon=True).start()
            """
        },
    )

    assert seen.survivor["runs_first_party"] is False
    assert seen.survivor["target"] == "telemetry.loop"


def test_a_librarys_thread_from_import_is_told_once(watch: Callable[..., Any]) -> None:
    seen = watch(
        "import telemetry\ndef main(): ...\n",
        files={
            "lib/site-packages/telemetry.py": """
            import threading, time
            def loop():
                time.sleep(30)
            threading.Thread(target=loop, daemon=True).start()
            """
        },
        requests=2,
    )

    assert (seen.survivor["kind"], seen.survivor["phase"]) == ("thread", "start")
    assert seen.survivor["runs_first_party"] is False


def test_a_loop_of_the_app_from_import_is_a_scheduler_in_each_request(
    watch: Callable[..., Any],
) -> None:
    seen = watch(
        """
        import threading, time
        def poll():
            while True:
                time.sleep(1)
        threading.Thread(target=poll, daemon=True).start()
        def main(): ...
        """,
        requests=2,
    )

    assert [(one["kind"], one["phase"]) for one in seen.survivors] == [("scheduler", "start")] * 2


def test_apscheduler_started_at_import_is_a_scheduler(watch: Callable[..., Any]) -> None:
    pytest.importorskip("apscheduler")
    seen = watch("""
        from apscheduler.schedulers.background import BackgroundScheduler
        def job(): ...
        scheduler = BackgroundScheduler(timezone='UTC')
        scheduler.add_job(job, 'interval', hours=1)
        scheduler.start()
        def main(): ...
    """)

    assert (seen.survivor["kind"], seen.survivor["runs_first_party"]) == ("scheduler", True)
    assert any(frame["line"] == 6 for frame in seen.survivor["stack"] if frame["is_first_party"])


@pytest.mark.parametrize(
    ("statement", "name"),
    (
        ("subprocess.Popen(['sleep', '5'])", "sleep 5"),
        ("os.posix_spawn('/bin/sleep', ['sleep', '5'], {})", "sleep 5"),
        ("os.system('sleep 5 &')", "sleep 5"),
        ("subprocess.run('setsid sleep 5 >/dev/null 2>&1 &', shell=True)", "sleep 5"),
        (
            "multiprocessing.get_context('spawn').Process(target=time.sleep, args=(5,)).start()",
            "spawn",
        ),
    ),
)
def test_a_process_that_outlives_the_request_is_told_once(
    watch: Callable[..., Any], statement: str, name: str
) -> None:
    seen = watch(
        f"""
        import multiprocessing, os, subprocess, time
        is_first = True
        def main():
            global is_first
            if is_first:
                is_first = False
                {statement}
                time.sleep(0.3)
        """,
        requests=2,
    )

    survivor = seen.survivor
    assert (survivor["kind"], survivor["runs_first_party"]) == ("process", True)
    assert name in survivor["name"]
    assert any(frame["line"] == 8 for frame in survivor["stack"] if frame["is_first_party"])


def test_a_daemon_that_forked_twice_is_told(watch: Callable[..., Any]) -> None:
    seen = watch("""
        import os, time
        def main():
            child = os.fork()
            if child == 0:
                if os.fork() == 0:
                    os.setsid()
                    time.sleep(5)
                os._exit(0)
            os.waitpid(child, 0)
    """)

    assert seen.survivor["kind"] == "process"
    assert seen.survivor["stack"][0]["line"] in {4, 6}
    assert seen.survivor["name"] == ""  # it has the command line of our own interpreter
