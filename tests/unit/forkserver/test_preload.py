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
import os, sys, threading
from pytest_stateless.forkserver.preload import preload
from pytest_stateless.guest.effects import EffectWatch
from pytest_stateless.guest.imports import FirstPartyFinder
from pytest_stateless.model.first_party import FirstParty
from pytest_stateless.wire.control import Preload

sys.dont_write_bytecode = True
finder, effects = FirstPartyFinder(), EffectWatch()
effects.is_on = False
sys.meta_path.insert(0, finder)
first_party = FirstParty(roots=(PROJECT,), names=("shop",))

def order(*modules, refused=(), sources=(), environ=None):
    return dict(preload(
        Preload(
            modules=modules,
            refused=tuple(refused),
            sources=tuple(sources),
            environ=dict(os.environ) if environ is None else environ,
            sys_path=(PROJECT, OTHERS, *sys.path),
            first_party=first_party,
        ),
        finder, effects,
    ))

def here(*names):
    return [name for name in names if name in sys.modules]
"""

ONCE = """
import sys
if hasattr(sys, "once_was_here"):
    raise ImportError("cannot load module more than once per process")
sys.once_was_here = True
"""
"""As numpy does it, since 2.0 and in C."""


STARTS_A_THREAD = """
import threading
threading.Thread(target=threading.Event().wait, args=(9,), daemon=True).start()
"""


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Mapping[str, str], str], None]:
    """Write others' modules beside a project `shop`, and run a program in a process of its own."""

    def run(modules: Mapping[str, str], program: str) -> None:
        project, others = tmp_path / "project", tmp_path / "lib" / "site-packages"
        files = {others / name: text for name, text in modules.items()}
        files[project / "shop" / "__init__.py"] = "value = 1\n"
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
        head = f"PROJECT, OTHERS = {str(project)!r}, {str(others)!r}\n{HEAD}"
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


Run = Callable[[Mapping[str, str], str], None]


def test_other_people_s_modules_are_imported_in_order(run: Run) -> None:
    run(
        {"one.py": "import sys; order = ['one']", "two.py": "import one; one.order.append('two')"},
        """
        assert order("two", "one") == {}
        assert sys.modules["one"].order == ["one", "two"]
        """,
    )


def test_the_environment_and_the_search_path_are_those_of_the_order(run: Run) -> None:
    run(
        {"reads.py": "import os; seen = dict(os.environ)"},
        """
        assert order("reads", environ={"MODE": "test"}) == {}
        assert sys.modules["reads"].seen == {"MODE": "test"}
        assert sys.path[:2] == [PROJECT, OTHERS]
        """,
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    (
        ("raise ValueError('no licence')", "ValueError: no licence"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("import not_there", "ModuleNotFoundError: No module named 'not_there'"),
        ("import shop", "it imports shop, which is imported in instances only"),
        (
            "try:\n    import shop\nexcept ImportError:\n    shop = None",
            "it imports shop, which is imported in instances only",
        ),
        (
            "import os; open(os.environ['SCRATCH'] + '/cache', 'w').close()",
            "bad writes files or starts processes at import",
        ),
        (
            "import os; os.mkdir(os.environ['SCRATCH'] + '/folder')",
            "bad writes files or starts processes at import",
        ),
        (
            "import os; os.system('true')",
            "bad writes files or starts processes at import",
        ),
        (
            "import subprocess; subprocess.run(['true'], check=True)",
            "bad writes files or starts processes at import",
        ),
        (
            STARTS_A_THREAD,
            "it starts a thread",
        ),
    ),
)
def test_a_module_that_leaves_a_trace_is_dropped_with_what_it_imported_and_named(
    run: Run, text: str, reason: str
) -> None:
    run(
        {"bad.py": f"import within\n{text}\nimport after\n", "within.py": "", "after.py": ""},
        f"""
        assert order("bad") == {{"bad": {reason!r}}}, order("bad")
        assert here("bad", "after", "shop") == []
        """,
    )


def test_what_comes_after_a_dropped_module_is_imported_all_the_same(run: Run) -> None:
    run(
        {
            "bad.py": "import shop",
            "good.py": "",
            "pkg/__init__.py": "",
            "pkg/bad.py": "import shop",
        },
        """
        assert list(order("bad", "pkg", "pkg.bad", "good")) == ["bad", "pkg.bad"]
        assert here("bad", "pkg", "pkg.bad", "good") == ["pkg", "good"]
        assert not hasattr(sys.modules["pkg"], "bad")
        """,
    )


def test_a_module_that_uses_a_dropped_one_is_dropped_too(run: Run) -> None:
    run(
        {"bad.py": "try:\n    import shop\nexcept ImportError:\n    pass", "user.py": "import bad"},
        """
        assert list(order("bad", "user")) == ["bad", "user"]
        assert here("bad", "user") == []
        """,
    )


def test_what_was_there_before_a_dropped_module_stays(run: Run) -> None:
    run(
        {"good.py": "", "bad.py": "import good, shop"},
        """
        assert list(order("good", "bad")) == ["bad"]
        good = sys.modules["good"]
        assert list(order("bad")) == ["bad"]
        assert sys.modules["good"] is good
        """,
    )


@pytest.mark.parametrize(
    "trace",
    (
        "import shop",
        "raise ValueError",
        "import os; open(os.environ['SCRATCH'] + '/cache', 'w').close()",
    ),
)
@pytest.mark.parametrize(
    "names", ("bad.first once.core once bad", "bad bad.first once once.core")
)  # as their imports ended, and as they began
def test_a_module_that_can_be_loaded_only_once_survives_that_its_user_is_dropped(
    run: Run, trace: str, names: str
) -> None:
    run(
        {
            "once/__init__.py": ONCE + "from once import core\n",
            "once/core.py": "",
            "bad/__init__.py": f"from bad import first\nimport once\n{trace}\n",
            "bad/first.py": "",
        },
        f"""
        assert "once" not in order(*{names.split()})
        assert here("bad", "bad.first", "once", "once.core") == ["once", "once.core"]
        import once
        assert once.core is sys.modules["once.core"]
        """,
    )


@pytest.mark.parametrize("trace", ("import shop", "raise ValueError"))
def test_a_module_that_has_taken_something_from_a_dropped_one_is_dropped_too(
    run: Run, trace: str
) -> None:
    run(
        {
            "bad.py": (
                f"def function(): pass\nimport knows_module, knows_function, clean, uses\n{trace}\n"
            ),
            "knows_module.py": "import bad",
            "knows_function.py": "from bad import function",
            "uses.py": "import knows_module",
            "clean.py": "",
        },
        """
        assert list(order("bad")) == ["bad"]
        assert here("bad", "knows_module", "knows_function", "uses", "clean") == ["clean"]
        """,
    )


def test_what_a_dropped_module_imported_before_and_starts_a_thread_is_dropped_too(
    run: Run,
) -> None:
    run(
        {
            "bad.py": "import starts, shop",
            "starts.py": STARTS_A_THREAD,
        },
        """
        assert list(order("bad")) == ["bad"]
        assert here("bad", "starts") == []
        """,
    )


def test_a_module_that_was_named_as_one_with_effects_is_not_even_tried(run: Run) -> None:
    run(
        {
            "effect.py": "import sys; sys.tried = True",
            "user.py": "import effect",
        },
        """
        dropped = order("effect", "user", refused=["effect"])
        assert dropped == {"user": "it imports effect, which is imported in instances only"}
        assert not hasattr(sys, "tried")
        assert list(order("user")) == ["user"], "it stays refused"
        """,
    )


def test_warnings_of_an_import_are_not_shown_and_stop_nothing(run: Run) -> None:
    run(
        {"warns.py": "import warnings; warnings.warn('old', DeprecationWarning)"},
        """
        import warnings
        warnings.simplefilter("error")
        assert order("warns") == {}
        """,
    )


def test_sources_are_compiled_and_not_run(run: Run) -> None:
    run(
        {},
        """
        path = os.path.join(PROJECT, "shop", "__init__.py")
        assert order(sources=[path, "/no/such/file.py"]) == {}
        assert finder.cache.get(path) is not None
        assert here("shop") == []
        """,
    )
