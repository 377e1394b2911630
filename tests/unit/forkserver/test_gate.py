from __future__ import annotations

import threading

import pytest

from pytest_stateless.forkserver.cloud.gate import Gate


def test_it_counts_what_has_been_let_in() -> None:
    gate = Gate()
    for _ in range(3):
        with gate.call("GET /"):
            pass
    assert gate.passed == 3


def test_it_is_closed_only_when_nobody_is_inside() -> None:
    gate = Gate()
    with gate.call("GET /slow"):
        assert not gate.close(0.01)
        assert gate.shown() == "GET /slow"
    assert gate.close(0)


def test_who_comes_while_it_is_closed_waits() -> None:
    gate = Gate()
    assert gate.close(0)
    entered = threading.Event()

    def call() -> None:
        with gate.call("GET /"):
            entered.set()

    thread = threading.Thread(target=call)
    thread.start()
    assert not entered.wait(0.05)
    gate.open()
    thread.join()
    assert entered.is_set()


def test_who_is_inside_when_it_closes_is_waited_for() -> None:
    gate = Gate()
    inside, go = threading.Event(), threading.Event()

    def call() -> None:
        with gate.call("GET /"):
            inside.set()
            go.wait()

    thread = threading.Thread(target=call)
    thread.start()
    inside.wait()
    threading.Timer(0.05, go.set).start()
    assert gate.close(30)
    thread.join()


def test_a_call_that_fails_is_no_longer_inside() -> None:
    gate = Gate()
    with pytest.raises(KeyError), gate.call("GET /"):
        raise KeyError
    assert gate.close(0)
