"""What an instance writes, logs and warns of reaches the test as if the app had run in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from e2e.conftest import Project

APP = """
    import logging, os, subprocess, sys, warnings

    print("imported")

    class OurWarning(FutureWarning):
        pass

    logger = logging.getLogger("shop.cart")

    def app(environ, start_response):
        path = environ["PATH_INFO"]
        if path == "/print":
            print("to stdout")
            print("to stderr", file=sys.stderr)
            print("to the server's log", file=environ["wsgi.errors"])
        if path == "/descriptors":
            os.write(1, b"by descriptor\\n")
            subprocess.run(["sh", "-c", "echo by a child; echo and its errors >&2"], check=True)
        if path == "/log":
            logger.debug("a %s", "detail")
            logger.info("some news", extra={"sku": "tea"})
            logger.warning("careful")
            logging.getLogger("other").error("%d wrong", 3)
            try:
                1 / 0
            except ZeroDivisionError:
                logger.exception("it went wrong")
        if path == "/warn":
            warnings.warn("old", DeprecationWarning, stacklevel=1)
            warnings.warn("ours", OurWarning, stacklevel=1)
        if path == "/handled":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                warnings.warn("never seen", UserWarning, stacklevel=1)
        start_response("200 OK", [])
        return [b"answered"]
"""


def test_output_reaches_the_test(project: Project) -> None:
    project.write({
        "shop.py": APP,
        "test_it.py": """
            def test_capsys(stateless, capsys):
                stateless.get("/print")
                captured = capsys.readouterr()
                assert captured.out == "imported\\nto stdout\\n"
                assert captured.err == "to stderr\\nto the server's log\\n"
                stateless.get("/descriptors")
                captured = capsys.readouterr()
                assert captured.out == "imported\\nby descriptor\\nby a child\\n"
                assert captured.err == "and its errors\\n"

            def test_capfd(stateless, capfd):
                stateless.get("/print")
                captured = capfd.readouterr()
                assert captured.out == "imported\\nto stdout\\n"
                assert captured.err == "to stderr\\nto the server's log\\n"

            def test_each_request_s_output_comes_with_it(stateless, capsys):
                with stateless.warm():
                    stateless.get("/")
                    assert capsys.readouterr().out == "imported\\n"
                    stateless.get("/print")
                    assert capsys.readouterr().out == "to stdout\\n"

            def test_a_report_shows_it(stateless):
                stateless.get("/print")
                stateless.get("/log")
                assert False, "to see the report"
        """,
    })
    project.ini("stateless_app = shop:app", "log_level = INFO")
    result = project.run()
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines([
        "*Captured stdout call*",
        "imported",
        "to stdout",
        "*Captured stderr call*",
        "to stderr",
        "*Captured log call*",
        "INFO     shop.cart:shop.py:* some news",
        "WARNING  shop.cart:shop.py:* careful",
        "ERROR    other:shop.py:* 3 wrong",
        "ERROR    shop.cart:shop.py:* it went wrong",
        "*ZeroDivisionError: division by zero",
    ])


def test_log_records_reach_caplog_as_the_test_s_levels_say(project: Project) -> None:
    project.write({
        "shop.py": APP,
        "test_it.py": """
            import logging

            def test_by_default_from_warning_on(stateless, caplog):
                stateless.get("/log")
                assert caplog.messages == ["careful", "3 wrong", "it went wrong"]

            def test_at_a_level(stateless, caplog):
                with caplog.at_level(logging.INFO):
                    stateless.get("/log")
                assert caplog.messages == ["some news", "careful", "3 wrong", "it went wrong"]
                record = caplog.records[0]
                assert (record.name, record.levelname, record.sku) == ("shop.cart", "INFO", "tea")
                assert (record.filename, record.funcName) == ("shop.py", "app")
                assert "ZeroDivisionError" in caplog.text

            def test_of_one_logger(stateless, caplog):
                caplog.set_level(logging.DEBUG, logger="shop")
                stateless.get("/log")
                assert caplog.messages[0] == "a detail"
                assert len(caplog.messages) == 5

            def test_levels_end_with_their_test(stateless, caplog):
                stateless.get("/log")
                assert "some news" not in caplog.messages

            def test_a_level_set_between_requests_of_one_instance(stateless, caplog):
                with stateless.warm():
                    stateless.get("/log")
                    assert "some news" not in caplog.messages
                    caplog.set_level(logging.INFO)
                    stateless.get("/log")
                    assert "some news" in caplog.messages

            def test_the_client_s_own_line_is_not_the_app_s(stateless, caplog):
                caplog.set_level(logging.DEBUG)
                stateless.get("/")
                assert caplog.records == []
        """,
    })
    project.ini("stateless_app = shop:app")
    project.run().assert_outcomes(passed=6)


def test_warnings_are_issued_again(project: Project) -> None:
    project.write({
        "shop.py": APP,
        "test_it.py": """
            import warnings
            import pytest

            def test_they_are_recorded(stateless):
                with pytest.warns(DeprecationWarning, match="old") as record:
                    stateless.get("/warn")
                assert [str(one.message) for one in record] == ["old", "ours"]
                assert record[0].filename.endswith("shop.py")
                # the class is the app's own, which this process has not imported
                assert issubclass(record[1].category, FutureWarning)

            def test_their_class_is_the_app_s_where_it_is_imported(stateless):
                import shop
                with pytest.warns(shop.OurWarning, match="ours"):
                    with pytest.warns(DeprecationWarning):
                        stateless.get("/warn")

            def test_a_filter_of_the_test_decides(stateless):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    assert stateless.get("/warn").status_code == 200

            @pytest.mark.filterwarnings("error::DeprecationWarning")
            def test_as_an_error_it_is_raised_and_the_next_request_is_served(stateless):
                with pytest.raises(DeprecationWarning, match="old"):
                    stateless.get("/warn")
                assert stateless.get("/").text == "answered"

            def test_what_the_app_ignores_is_not_seen(stateless):
                with warnings.catch_warnings(record=True) as record:
                    warnings.simplefilter("always")
                    stateless.get("/handled")
                assert record == []

            def test_the_summary_shows_them(stateless):
                stateless.get("/warn")
        """,
    })
    project.ini("stateless_app = shop:app", warnings="default")
    result = project.run()
    result.assert_outcomes(passed=6, warnings=3)  # the first test matches one of its two
    result.stdout.fnmatch_lines([
        "*warnings summary*",
        "test_it.py::test_the_summary_shows_them",
        "*shop.py:*: DeprecationWarning: old",
    ])
