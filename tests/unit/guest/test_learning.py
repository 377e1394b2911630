from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import pytest_stateless

ROOT = Path(pytest_stateless.__file__).parents[1]

HEAD = """
import os, sys
from pytest_stateless.guest.effects import EffectWatch
from pytest_stateless.guest.learning import Learner, imported_since
from pytest_stateless.model.first_party import FirstParty

sys.dont_write_bytecode = True
sys.path[:0] = [PROJECT, OTHERS]
first_party = FirstParty(roots=(PROJECT,), names=("installed",))
"""

Run = Callable[[Mapping[str, str], str], None]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Write a project and others' modules, and run a program in a process of its own."""

    def run(files: Mapping[str, str], program: str) -> None:
        for name in ("project", "site-packages"):
            (tmp_path / name).mkdir()
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
        paths = [str(tmp_path / "project"), str(tmp_path / "site-packages")]
        head = f"PROJECT, OTHERS = {paths[0]!r}, {paths[1]!r}\n{HEAD}"
        done = subprocess.run(
            [sys.executable, "-c", head + textwrap.dedent(program)],
            check=False,
            cwd=ROOT,
            env={**os.environ, "SCRATCH": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr

    return run


EFFECTS = {
    "opens": "import os; open(os.environ['SCRATCH'] + '/opened', 'w').close()",
    "appends": "import os; open(os.environ['SCRATCH'] + '/opened', 'a').close()",
    "os_opens": (
        "import os; os.close(os.open(os.environ['SCRATCH'] + '/made', os.O_CREAT | os.O_RDONLY))"
    ),
    "touches": "import os, pathlib; pathlib.Path(os.environ['SCRATCH'], 'touched').touch()",
    "makes_folder": "import os; os.makedirs(os.environ['SCRATCH'] + '/a/b')",
    "makes_temporary": "import tempfile; tempfile.TemporaryDirectory()",
    "runs": "import subprocess; subprocess.run(['true'], check=True)",
    "systems": "import os; os.system('true')",
    "forks": "import os; pid = os.fork() or os._exit(0); os.waitpid(pid, 0)",
    "starts_thread": "import threading; t = threading.Thread(target=int); t.start(); t.join()",
    "starts_timer": "import threading; t = threading.Timer(0, int); t.start(); t.join()",
}
QUIET = {
    "reads": "open(__file__).close()",
    "reads_null": "import os; open(os.devnull, 'w').close()",
    "only_defines": "import os\ndef f(): open(os.environ['SCRATCH'] + '/never', 'w')",
    "lists": "import os; os.listdir('.'); os.stat('.')",
    "locks": "import threading; lock = threading.Lock()",
}


@pytest.mark.parametrize("name", EFFECTS)
def test_a_module_with_effects_at_import_is_named(run: Run, name: str) -> None:
    run(
        {f"site-packages/{name}.py": EFFECTS[name]},
        f"""
        learner = Learner(first_party, {{}})
        import {name}
        learnt = learner.finish()
        assert {name!r} in learnt.modules
        assert learnt.refused == ({name!r},), learnt.refused
        """,
    )


@pytest.mark.parametrize("name", QUIET)
def test_a_module_without_effects_is_not(run: Run, name: str) -> None:
    run(
        {f"site-packages/{name}.py": QUIET[name]},
        f"""
        learner = Learner(first_party, {{}})
        import {name}
        assert learner.finish().refused == ()
        """,
    )


def test_the_effect_of_a_function_is_that_of_the_module_that_called_it_at_import(run: Run) -> None:
    run(
        {
            "site-packages/maker.py": EFFECTS["opens"].replace("open(", "make = lambda: open("),
            "site-packages/caller.py": "import maker; maker.make()",
            "site-packages/outer.py": "import caller",
        },
        """
        learner = Learner(first_party, {})
        import outer
        assert learner.finish().refused == ("caller",)
        """,
    )


def test_effects_of_the_user_s_own_modules_refuse_nobody(run: Run) -> None:
    run(
        {"project/shop.py": EFFECTS["opens"] + "\nimport json"},
        """
        learner = Learner(first_party, {})
        import shop
        assert learner.finish().refused == ()
        """,
    )


def test_modules_are_told_in_the_order_in_which_they_were_complete(run: Run) -> None:
    run(
        {
            "project/shop.py": "import one",
            "site-packages/one/__init__.py": "import two\nfrom one import part",
            "site-packages/one/part.py": "",
            "site-packages/two.py": "",
        },
        """
        learner = Learner(first_party, {})
        import shop
        learnt = learner.finish()
        assert learnt.modules == ("two", "one.part", "one"), learnt.modules
        assert learnt.sources == (os.path.join(PROJECT, "shop.py"),)
        """,
    )


def test_the_user_s_own_are_told_as_source_files(run: Run) -> None:
    run(
        {
            "project/shop/__init__.py": "from shop import app",
            "project/shop/app.py": "import installed, json",
            "project/spread/part.py": "",
            "site-packages/installed.py": "",
        },
        """
        learner = Learner(first_party, {})
        import shop, spread.part
        learnt = learner.finish()
        names = {os.path.relpath(path, PROJECT) for path in learnt.sources}
        assert names == {
            "shop/__init__.py", "shop/app.py", "spread/part.py", "../site-packages/installed.py"
        }, names
        assert not {"shop", "installed", "spread.part"} & set(learnt.modules)
        """,
    )


def test_what_was_there_before_is_not_told(run: Run) -> None:
    run(
        {"site-packages/one.py": "", "site-packages/two.py": ""},
        """
        import one
        count = len(sys.modules)
        import one, two
        assert imported_since(count, first_party, {}) == (("two",), ())
        assert imported_since(len(sys.modules), first_party, {}) == ((), ())
        """,
    )


def test_modules_come_in_the_order_in_which_their_imports_began(run: Run) -> None:
    run(
        {
            "site-packages/ring/__init__.py": "",
            "site-packages/ring/base.py": "NAME = 1; from ring import features",
            "site-packages/ring/features.py": "from ring.base import NAME",
        },
        """
        from pytest_stateless.guest.imports import FirstPartyFinder
        finder = FirstPartyFinder()
        finder.first_party = first_party
        finder.is_refusing = False
        sys.meta_path.insert(0, finder)
        count = len(sys.modules)
        import ring.base
        ended = [name for name in sys.modules if name.startswith("ring.")]
        assert ended == ["ring.features", "ring.base"]  # entered there, the cycle would fail
        began, _ = imported_since(count, first_party, finder.asked)
        assert began == ("ring", "ring.base", "ring.features")
        """,
    )


def test_what_only_pretends_to_be_a_module_is_left_out(run: Run) -> None:
    run(
        {},
        """
        count = len(sys.modules)
        sys.modules["made_up"] = object()
        sys.modules["nothing"] = None
        import types
        sys.modules["empty"] = types.ModuleType("empty")
        assert imported_since(count, first_party, {}) == ((), ())
        """,
    )


def test_a_watch_that_is_off_sees_nothing(run: Run) -> None:
    run(
        {f"site-packages/{name}.py": text for name, text in EFFECTS.items()},
        """
        watch = EffectWatch()
        watch.is_on = False
        import opens, makes_folder
        assert watch.blamed == {}
        watch.is_on = True
        import touches, runs
        assert list(watch.blamed) == ["touches", "runs"]
        """,
    )


def test_bytecode_that_the_import_system_writes_is_nobody_s_effect(run: Run) -> None:
    run(
        {"site-packages/plain.py": ""},
        """
        sys.dont_write_bytecode = False
        watch = EffectWatch()
        import plain
        assert os.path.exists(plain.__cached__)
        assert watch.blamed == {}
        """,
    )
