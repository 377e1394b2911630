"""Every instance is new, and is what the test's own surroundings make it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from e2e.conftest import Project


def test_nothing_is_carried_from_one_request_to_the_next(project: Project) -> None:
    project.write({
        "shop.py": """
            import json, os
            from flask import Flask, request
            import vendored

            app = Flask(__name__)
            CART = []

            class Stock:
                taken = 0

            @app.post("/")
            def take(seen=[]):
                CART.append(1)
                Stock.taken += 1
                seen.append(1)
                vendored.cache["x"] = vendored.cache.get("x", 0) + 1
                os.environ["TAKEN"] = os.environ.get("TAKEN", "") + "1"
                with open("/tmp/taken", "a") as file:
                    file.write("1")
                os.chdir("/")
                return {
                    "cart": len(CART), "stock": Stock.taken, "default": len(seen),
                    "third party": vendored.cache["x"], "environment": len(os.environ["TAKEN"]),
                    "tmp": os.path.getsize("/tmp/taken"),
                }

            @app.get("/where")
            def where():
                return {"cwd": os.getcwd(), "pid": os.getpid()}
        """,
        "vendor/vendored.py": "cache = {}\n",
        "test_it.py": """
            import os
            import pytest
            import shop

            def test_memory_and_tmp_are_as_new_at_each_request(stateless):
                answers = [stateless.post("/").json() for _ in range(3)]
                for answer in answers:
                    assert set(answer.values()) == {1}, answer

            def test_they_stay_on_an_instance_that_is_kept(stateless):
                with stateless.warm():
                    answers = [set(stateless.post("/").json().values()) for _ in range(3)]
                assert answers == [{1}, {2}, {3}]

            def test_the_test_process_is_not_touched(stateless):
                here = os.getcwd()
                stateless.post("/")
                assert (shop.CART, shop.Stock.taken, "TAKEN" in os.environ) == ([], 0, False)
                assert os.getcwd() == here
                assert not os.path.exists("/tmp/taken")

            def test_what_the_test_process_changed_in_memory_is_not_there_either(stateless):
                shop.CART.append("from the test")
                try:
                    assert stateless.post("/").json()["cart"] == 1
                finally:
                    shop.CART.clear()

            def test_each_request_has_a_process_of_its_own(stateless):
                answers = [stateless.get("/where").json() for _ in range(3)]
                assert len({answer["pid"] for answer in answers} | {os.getpid()}) == 4
                assert {answer["cwd"] for answer in answers} == {os.getcwd()}

            @pytest.mark.stateless(start="spawn")
            def test_a_new_interpreter_is_as_new(stateless):
                for _ in range(2):
                    assert set(stateless.post("/").json().values()) == {1}
        """,
    })
    project.ini("stateless_app = shop:app", "pythonpath = . vendor")
    project.run().assert_outcomes(passed=6)


def test_chance_is_new_in_each_instance_and_the_hash_seed_in_each_interpreter(
    project: Project,
) -> None:
    project.write({
        "dice.py": """
            import json, os, random, secrets, tempfile, uuid

            at_import = random.random()

            def app(environ, start_response):
                start_response("200 OK", [])
                drawn = {
                    "random": random.random(),
                    "at import": at_import,
                    "secrets": secrets.token_hex(),
                    "urandom": os.urandom(8).hex(),
                    "uuid4": str(uuid.uuid4()),
                    "uuid1": str(uuid.uuid1()),
                    "tempfile": tempfile.mktemp(),
                }
                return [json.dumps({"drawn": drawn, "hash": hash("a text")}).encode()]
        """,
        "test_it.py": """
            import pytest

            def draw(stateless, count):
                answers = [stateless.get("/").json() for _ in range(count)]
                return [one["drawn"] for one in answers], {one["hash"] for one in answers}

            def test_two_forked_instances_draw_differently(stateless):
                drawn, hashes = draw(stateless, 3)
                for name in drawn[0]:
                    assert len({one[name] for one in drawn}) == 3, name
                assert len(hashes) == 1

            @pytest.mark.stateless(start="spawn")
            def test_two_interpreters_differ_in_their_hashes_too(stateless):
                drawn, hashes = draw(stateless, 3)
                for name in drawn[0]:
                    assert len({one[name] for one in drawn}) == 3, name
                assert len(hashes) == 3
        """,
    })
    project.ini("stateless_app = dice:app")
    project.run().assert_outcomes(passed=2)


def test_an_instance_takes_the_surroundings_of_the_test_as_they_are_then(project: Project) -> None:
    project.write({
        "shop.py": """
            import json, os, sys, time

            COLOUR = os.environ.get("COLOUR", "none")  # read at import, as most settings are

            def app(environ, start_response):
                try:
                    import extra
                    found = extra.NAME
                except ImportError:
                    found = None
                seen = {
                    "colour": COLOUR, "found": found, "cwd": os.getcwd(), "argv": sys.argv[-1],
                    "zone": time.tzname[0],
                }
                start_response("200 OK", [])
                return [json.dumps(seen).encode()]
        """,
        "elsewhere/extra.py": "NAME = 'found'\n",
        "test_it.py": """
            import os, sys

            def test_by_default(stateless):
                seen = stateless.get("/").json()
                assert (seen["colour"], seen["found"]) == ("none", None)
                assert seen["cwd"] == os.getcwd()

            def test_the_environment(stateless, monkeypatch):
                monkeypatch.setenv("COLOUR", "red")
                assert stateless.get("/").json()["colour"] == "red"
                monkeypatch.setenv("COLOUR", "blue")
                assert stateless.get("/").json()["colour"] == "blue"
                monkeypatch.delenv("COLOUR")
                assert stateless.get("/").json()["colour"] == "none"

            def test_the_time_zone(stateless, monkeypatch):
                monkeypatch.setenv("TZ", "XYZ-3")
                assert stateless.get("/").json()["zone"] == "XYZ"

            def test_the_search_path(stateless, monkeypatch):
                monkeypatch.syspath_prepend(os.path.abspath("elsewhere"))
                assert stateless.get("/").json()["found"] == "found"

            def test_the_working_directory(stateless, monkeypatch, tmp_path):
                monkeypatch.chdir("elsewhere")
                assert stateless.get("/").json()["cwd"] == os.getcwd()
                assert stateless.get("/").json()["found"] is None
                monkeypatch.chdir(tmp_path)
                assert stateless.get("/").json()["cwd"] == str(tmp_path)

            def test_the_arguments(stateless, monkeypatch):
                monkeypatch.setattr(sys, "argv", ["program", "--flag"])
                assert stateless.get("/").json()["argv"] == "--flag"
        """,
    })
    project.ini("stateless_app = shop:app", "pythonpath = .")
    project.run().assert_outcomes(passed=6)
