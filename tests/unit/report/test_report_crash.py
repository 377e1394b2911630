from __future__ import annotations

import errno

import pytest

from pytest_stateless.errors import SandboxSetupError
from pytest_stateless.model.quantity import MB
from pytest_stateless.report.crash import (
    Crash,
    format_app_exception,
    format_cold_start_failure,
    format_cold_start_repeat,
    format_death,
    format_garbage,
    format_memory_kill,
    format_seal_failure,
    format_timeout,
    format_zygote_death,
)

REQUEST = "POST /thumb (request 2, instance 2)"
TRACEBACK = """\
Traceback (most recent call last):
  File "shop/app.py", line 3, in <module>
    import absent
ModuleNotFoundError: No module named 'absent'
"""


def test_a_signal_is_named_and_explained() -> None:
    crash = Crash(request=REQUEST, status=11, stderr=("Fatal Python error: Segmentation fault",))
    assert (
        format_death(crash)
        == """\
POST /thumb (request 2, instance 2): the instance died of SIGSEGV before it had answered: \
it used memory that is not its own
    its last lines on stderr:
        Fatal Python error: Segmentation fault
    try     a C extension crashed: run the test with --no-stateless and python -X faulthandler"""
    )


@pytest.mark.parametrize(
    ("status", "said"),
    (
        (9, "died of SIGKILL before it had answered: something killed it"),
        (6 | 0x80, "died of SIGABRT before it had answered: it gave up by abort()"),
        (50, "died of signal 50 before it had answered: nobody handled it"),
        (12, "died of SIGUSR2 before it had answered: nobody handled it"),
    ),
)
def test_every_signal_has_a_text(status: int, said: str) -> None:
    assert said in format_death(Crash(request=REQUEST, status=status))


def test_an_exit_names_its_status_and_what_calls_it() -> None:
    crash = Crash(request=REQUEST, status=3 << 8, step="the import of shop.app")
    assert (
        format_death(crash)
        == """\
POST /thumb (request 2, instance 2): the instance ended with exit status 3 during the import of \
shop.app
    try     os._exit or a C library's exit() ends an instance at once; raise an exception or \
answer instead"""
    )


def test_stderr_is_cut_to_its_end_and_masked() -> None:
    lines = (*(f"line {number}" for number in range(30)), "API_KEY=hunter2")
    text = format_death(Crash(request=REQUEST, status=11, stderr=lines))
    assert "line 18" not in text
    assert "line 19" in text
    assert "API_KEY=***" in text


def test_a_kill_for_memory_names_the_limit() -> None:
    text = format_memory_kill(
        Crash(request=REQUEST, status=9), limit_bytes=128 * MB, peak_bytes=130 * MB
    )
    assert text.splitlines()[0] == (
        f"{REQUEST}: the instance was killed for its memory: over 128 MB (at least 130 MB used)"
    )


def test_a_timeout_shows_the_stack() -> None:
    text = format_timeout(REQUEST, timeout_s=30, platform="aws-lambda", stack="app.py:4 in hang")
    assert (
        text
        == """\
POST /thumb (request 2, instance 2): no answer within 30 s, the limit of aws-lambda; \
the instance was killed
    it was at work here:
        app.py:4 in hang
    try     give calls out a timeout of their own, or allow more: \
@pytest.mark.stateless(timeout='60 s')"""
    )


def test_a_seal_that_fails_names_operation_and_call() -> None:
    error = SandboxSetupError("make / read-only", "mount_setattr", errno.EPERM)
    assert format_seal_failure(error, isolation="namespace").splitlines()[:2] == [
        "the instance could not be sealed (namespace), so it was not used",
        "    make / read-only: mount_setattr failed: [EPERM] Operation not permitted",
    ]


@pytest.mark.parametrize(
    ("status", "said"),
    ((9, "died of SIGKILL"), (256, "died with exit status 1"), (None, "forked, died")),
)
def test_a_dead_zygote_says_how(status: int | None, said: str) -> None:
    assert said in format_zygote_death(status)


def test_garbage_is_shown() -> None:
    text = format_garbage(REQUEST, shown="expected a message, got b'hello'")
    assert text.splitlines()[:2] == [
        f"{REQUEST}: the instance wrote to a descriptor of pytest-stateless",
        "    expected a message, got b'hello'",
    ]


def test_a_failed_cold_start_is_told_in_full_once() -> None:
    error = "ModuleNotFoundError: No module named 'absent'"
    assert (
        format_cold_start_failure(
            "shop.app:app",
            step="import of shop.app",
            error=error,
            traceback=TRACEBACK,
            request=REQUEST,
        )
        == """\
shop.app:app cannot start: import of shop.app failed: \
ModuleNotFoundError: No module named 'absent'
    it was to serve POST /thumb (request 2, instance 2)
    Traceback (most recent call last):
      File "shop/app.py", line 3, in <module>
        import absent
    ModuleNotFoundError: No module named 'absent'"""
    )
    assert format_cold_start_repeat("shop.app:app", error=error, first_test="t.py::test_a") == (
        "shop.app:app cannot start: ModuleNotFoundError: No module named 'absent' "
        "(in full: t.py::test_a)"
    )


def test_an_exception_of_the_app_has_a_section() -> None:
    assert (
        format_app_exception(REQUEST, "Traceback\nValueError: no sku\n")
        == """\
POST /thumb (request 2, instance 2): the app raised, and the platform answers 500
    Traceback
    ValueError: no sku"""
    )
