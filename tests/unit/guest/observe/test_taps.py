from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import pytest_stateless


def run(program: str) -> None:
    """Run a program with an observer `observer` of its own folder, in a process of its own."""
    head = """
        import os, sys, threading
        from pytest_stateless.guest.observe import hook
        from pytest_stateless.guest.observe.observer import Observer
        from pytest_stateless.guest.stack import StackReader
        from pytest_stateless.model.first_party import FirstParty
        observer = Observer(StackReader(FirstParty(roots=("/nowhere",))))
    """
    text = textwrap.dedent(head) + textwrap.dedent(program)
    root = Path(pytest_stateless.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", text], check=False, cwd=root, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_an_observer_that_fails_is_not_noticed_by_the_app() -> None:
    run("""
        observer.install()
        def fail(*args): raise ZeroDivisionError
        for name in [name for name in dir(Observer) if name.startswith(('on_', 'is_'))]:
            setattr(Observer, name, fail)
        observer.begin('request')
        import sqlite3, subprocess
        open(os.devnull, 'w').close()
        open(__import__('logging').__file__).close()
        sqlite3.connect(':memory:').execute('select 1')
        subprocess.run(['true'], check=True)
        thread = threading.Thread(target=int); thread.start(); thread.join()
        try: open('/missing')
        except FileNotFoundError: pass
        assert hook.TAPS.busy == set()
    """)


def test_nothing_is_heard_before_begin_and_after_finish() -> None:
    run("""
        import tempfile
        observer.install()
        folder = tempfile.mkdtemp()
        path = os.path.join(folder, 'data.txt')
        open(path, 'w').close()
        open(path).close()
        observer.begin('request')
        assert observer.finish().reads == ()
        open(path).close()
        observer.begin('request')
        open(path).close()
        assert observer.finish().reads == (os.path.realpath(path),)
    """)


def test_installing_twice_taps_once() -> None:
    run("""
        start = threading.Thread.start
        observer.install()
        wrapped = threading.Thread.start
        observer.install()
        assert threading.Thread.start is wrapped
        observer.begin('start')
        import sqlite3
        connect = sqlite3.connect
        assert connect.__code__.co_filename == hook.__file__
        observer.begin('request')
        assert sqlite3.connect is connect
    """)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is new in Python 3.12")
def test_other_monitoring_tools_keep_their_places() -> None:
    run("""
        for tool in (0, 1, 2, 3):
            sys.monitoring.use_tool_id(tool, f'tool {tool}')
        observer.install()
        assert hook.TAPS.has_monitoring
        assert [sys.monitoring.get_tool(tool) for tool in range(5)] == [
            'tool 0', 'tool 1', 'tool 2', 'tool 3', 'pytest-stateless']
    """)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is new in Python 3.12")
def test_without_a_free_monitoring_tool_the_rest_still_works() -> None:
    run("""
        for tool in range(6):
            sys.monitoring.use_tool_id(tool, f'tool {tool}')
        observer.install()
        assert not hook.TAPS.has_monitoring
        observer.begin('request')
        open('pyproject.toml').close()
        assert observer.finish().reads == (os.path.realpath('pyproject.toml'),)
    """)


def test_the_peak_of_memory_is_told_in_bytes() -> None:
    run("""
        observer.begin('request')
        ballast = bytearray(50_000_000)
        for place in range(0, len(ballast), 4096):
            ballast[place] = 1
        assert 50_000_000 < observer.finish().peak_bytes < 5_000_000_000
    """)
