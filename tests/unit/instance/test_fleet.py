from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pickle
import signal
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from coverage.config import CoverageConfig

import pytest_stateless
from pytest_stateless.errors import SandboxUnavailableError
from pytest_stateless.forkserver.handle import ZygoteHandle
from pytest_stateless.instance.drive import run
from pytest_stateless.instance.fleet import Fleet
from pytest_stateless.instance.handle import InstanceGone
from pytest_stateless.instance.recipe import Recipe
from pytest_stateless.model.coverage_order import CoverageOrder
from pytest_stateless.model.first_party import FirstParty
from pytest_stateless.wire.control import Preload, Preloaded, Seal, Signal
from pytest_stateless.wire.measured import Measured
from pytest_stateless.wire.messages import (
    Begin,
    Call,
    Done,
    Log,
    Raised,
    Returned,
    Start,
    Started,
    StartFailed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_stateless.instance.handle import InstanceHandle
    from pytest_stateless.wire.message import Message

pytestmark = pytest.mark.usefixtures("sandbox")

START = Start()

FILES = {
    "project/flt_shop/__init__.py": "value = 1\n",
    "project/flt_shop/app.py": """\
        import flt_shop, flt_plain, flt_swallows, flt_writes, flt_threads, flt_user
        def app(environ, start_response): ...
    """,
    "others/flt_plain.py": "import colorsys\n",
    "others/flt_swallows.py": """\
        try:
            import flt_shop
        except ImportError:
            flt_shop = None
    """,
    "others/flt_writes.py": "import os, tempfile; os.rmdir(tempfile.mkdtemp())\n",
    "others/flt_threads.py": "import threading; t = threading.Thread(target=int); t.start()\n",
    "others/flt_user.py": "import flt_writes\n",
}


class World:
    """A project and other people's modules, and what instances of it are made by."""

    def __init__(self, folder: Path) -> None:
        self.project = str(folder / "project")
        others = str(folder / "others")
        for name, text in FILES.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
        own = str(Path(pytest_stateless.__file__).parents[1])
        needed = (str(folder), own, sys.prefix, sys.base_prefix)
        visible = tuple(path for path in needed if path.startswith("/tmp/"))
        self.recipe = Recipe(seal=Seal(tmp_bytes=1 << 24, visible=visible), memory_bytes=1 << 30)
        self.begin = Begin(
            app="flt_shop.app:app",
            setup="",
            environ={**os.environ, "MODE": "test"},
            sys_path=(self.project, others, *sys.path),
            cwd=self.project,
            argv=("pytest",),
            first_party=FirstParty(roots=(self.project,), names=("flt_shop",)),
            memory_bytes=1 << 30,
            sends_exceptions=True,
        )

    @property
    def bare(self) -> Begin:
        """What an instance becomes that has not imported the app."""
        return dataclasses.replace(self.begin, app="")

    def write(self, name: str, text: str) -> None:
        path = Path(self.project, name)
        path.write_text(textwrap.dedent(text))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(Path(os.path.realpath(tmp_path)))


class TrackedFleet(Fleet):
    """Closes the handles of all instances at its end, also of those that a test never retires."""

    def __init__(self, on_measured: Callable[[Measured], None] = lambda _: None) -> None:
        super().__init__(on_measured)
        self.made: list[InstanceHandle] = []

    def _start(self, recipe: Recipe) -> InstanceHandle:
        self.made.append(super()._start(recipe))
        return self.made[-1]

    def close(self) -> None:
        super().close()
        for handle in self.made:
            handle.close()


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    with contextlib.closing(TrackedFleet()) as fleet:
        yield fleet


def begin(
    fleet: Fleet, handle: InstanceHandle, message: Begin, start: Start = START
) -> Started | StartFailed:
    noticed: list[Message] = []
    answer = run(fleet.begin(handle, message, start, noticed.append))
    assert all(isinstance(one, Log) for one in noticed), noticed
    assert isinstance(answer, (Started, StartFailed)), answer
    return answer


def ask(handle: InstanceHandle, expression: str) -> object:
    """Evaluate an expression in an instance."""
    blob = pickle.dumps((eval, (expression,), {}))  # noqa: S307 (our own)
    handle.post(Call(number=1, blob=blob, timeout_s=30))
    deadline = time.monotonic() + 60
    result: object = None
    while not isinstance(message := run(handle.next_message(deadline)), Done):
        assert not isinstance(message, Raised), message.error
        if isinstance(message, Returned):
            result = pickle.loads(message.blob)  # noqa: S301 (our own)
    return result


def imported(handle: InstanceHandle) -> set[str]:
    names = ask(handle, "[n for n in __import__('sys').modules if n.startswith('flt_')]")
    assert isinstance(names, list)
    return set(names)


def fresh(fleet: Fleet, world: World, *, bare: bool = False) -> InstanceHandle:
    handle = fleet.acquire(world.recipe)
    answer = begin(fleet, handle, world.bare if bare else world.begin)
    assert isinstance(answer, Started), answer
    return handle


def learn(fleet: Fleet, world: World) -> None:
    run(fleet.learn(world.begin, START, world.recipe))


def descendants(pid: int) -> set[int]:
    """Find the live processes below one."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                parents[int(entry.name)] = int(parent)
    found = {pid} & parents.keys()
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def await_none_of(processes: set[int]) -> None:
    """Wait until none of these processes lives; whoever adopted them may not have reaped them."""
    deadline = time.monotonic() + 30
    while alive := {pid for pid in processes if descendants(pid)}:
        assert time.monotonic() < deadline, alive
        time.sleep(0.01)


def await_end(handle: InstanceHandle) -> None:
    run(handle.await_exit(time.monotonic() + 60))


# instances


def test_an_instance_is_in_a_sealed_process_of_its_own(fleet: Fleet, world: World) -> None:
    one, two = fresh(fleet, world), fresh(fleet, world)
    assert one.is_sealed
    assert ask(one, "__import__('os').getpid()") != ask(two, "__import__('os').getpid()")
    for handle in (one, two):
        assert ask(handle, "__import__('os').listdir('/tmp')") != os.listdir("/tmp")  # noqa: PTH208
        assert ask(handle, "__import__('os').environ['MODE']") == "test"
        fleet.retire(handle)


def test_an_instance_that_serves_twice_keeps_what_it_has_in_memory(
    fleet: Fleet, world: World
) -> None:
    handle = fresh(fleet, world)
    ask(handle, "setattr(__import__('flt_shop'), 'value', 'kept')")
    assert ask(handle, "__import__('flt_shop').value") == "kept"
    assert ask(fresh(fleet, world), "__import__('flt_shop').value") == 1


def test_a_frozen_instance_answers_when_it_is_thawed(fleet: Fleet, world: World) -> None:
    handle = fresh(fleet, world)
    handle.signal(Signal(instance=handle.number, action="freeze"))
    handle.signal(Signal(instance=handle.number, action="thaw"))
    assert ask(handle, "6 * 7") == 42


def test_each_instance_draws_random_numbers_of_its_own(fleet: Fleet, world: World) -> None:
    draw = "__import__('random').getrandbits(64)"
    assert ask(fresh(fleet, world), draw) != ask(fresh(fleet, world), draw)


def test_a_spawned_instance_is_a_new_interpreter_with_the_hash_seed_that_was_asked_for(
    fleet: Fleet, world: World
) -> None:
    def hash_with(seed: str) -> object:
        recipe = dataclasses.replace(world.recipe, start="spawn", hash_seed=seed)
        handle = fleet.acquire(recipe)
        begin(fleet, handle, world.begin)
        assert ask(handle, "__import__('os').environ['MODE']") == "test"
        return ask(handle, "hash('tea')")

    assert hash_with("1") == hash_with("1") != hash_with("2")


# the spare one


def test_a_spare_instance_is_used_where_its_recipe_fits(fleet: Fleet, world: World) -> None:
    fleet.zygote()
    fleet.prepare_spare(world.recipe, world.begin)
    fleet.prepare_spare(world.recipe, world.begin)  # one is enough
    equal = dataclasses.replace(world.recipe)
    handle = fleet.acquire(equal)
    assert handle.number == 1
    begin(fleet, handle, world.bare)
    assert ask(handle, "1") == 1
    assert fleet.acquire(world.recipe).number == 2, "a spare one is used once"


@pytest.mark.parametrize(
    "change",
    (
        {"memory_bytes": 1 << 29},
        {"start": "spawn"},
        {"seal": Seal(tmp_bytes=1 << 20)},
    ),
)
def test_a_spare_instance_that_does_not_fit_is_ended(
    fleet: Fleet, world: World, change: dict[str, object]
) -> None:
    fleet.zygote()
    fleet.prepare_spare(world.recipe, world.begin)
    assert fleet._spare is not None
    spare = fleet._spare.handle
    handle = fleet.acquire(dataclasses.replace(world.recipe, **change))  # type: ignore[arg-type]
    assert handle.number == 2
    await_end(spare)
    assert not handle.has_ended()


def test_a_spare_instance_that_has_died_is_not_used(fleet: Fleet, world: World) -> None:
    fleet.zygote()
    fleet.prepare_spare(world.recipe, world.begin)
    assert fleet._spare is not None
    spare = fleet._spare.handle
    spare.signal(Signal(instance=spare.number, action="kill"))
    await_end(spare)
    assert ask(fresh(fleet, world), "1") == 1


def test_nothing_is_prepared_where_there_is_no_zygote(fleet: Fleet, world: World) -> None:
    fleet.prepare_spare(world.recipe, world.begin)
    assert fleet._spare is None
    assert fleet._zygotes == {}


def test_what_was_forked_before_the_app_was_learnt_is_not_used_after_it(
    fleet: Fleet, world: World
) -> None:
    fleet.zygote()
    fleet.prepare_spare(world.recipe, world.begin)
    learn(fleet, world)
    assert "flt_plain" in imported(fresh(fleet, world, bare=True))


def test_a_spare_instance_whose_writable_folder_was_made_anew_is_not_used(
    fleet: Fleet, world: World
) -> None:
    folder = Path(world.project, "var")
    folder.mkdir()
    seal = dataclasses.replace(world.recipe.seal, writable=(str(folder),))
    world.recipe = dataclasses.replace(world.recipe, seal=seal)
    fleet.zygote()
    fleet.prepare_spare(world.recipe, world.begin)
    folder.rmdir()
    folder.mkdir()
    ask(fresh(fleet, world), f"open({str(folder / 'note')!r}, 'w').close()")
    assert (folder / "note").exists()


def told(handle: InstanceHandle, monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    """List what a handle is told from now on."""
    posted: list[Message] = []
    post = handle.post

    def noted(message: Message) -> None:
        posted.append(message)
        post(message)

    monkeypatch.setattr(handle, "post", noted)
    return posted


def test_a_spare_instance_is_told_only_what_has_changed_since(
    fleet: Fleet, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.zygote()
    monkeypatch.setitem(world.begin.environ, "OLD", "1")
    fleet.prepare_spare(world.recipe, world.bare)
    handle = fleet.acquire(world.recipe)
    posted = told(handle, monkeypatch)
    environ = {**world.begin.environ, "MODE": "later", "NEW": "2"}
    del environ["OLD"]
    begin(fleet, handle, dataclasses.replace(world.bare, environ=environ))
    assert posted == [Start(changed={"MODE": "later", "NEW": "2"}, removed=("OLD",))]
    names = "[__import__('os').environ.get(name) for name in ('MODE', 'NEW', 'OLD')]"
    assert ask(handle, names) == ["later", "2", None]


def test_a_spare_instance_becomes_something_else_if_it_must(fleet: Fleet, world: World) -> None:
    fleet.zygote()
    fleet.prepare_spare(world.recipe, dataclasses.replace(world.begin, app="flt_shop.nowhere:app"))
    handle = fleet.acquire(world.recipe)
    assert isinstance(begin(fleet, handle, world.begin), Started)
    assert "flt_shop.app" in imported(handle)


def test_an_instance_that_does_not_start_ends_with_requests_unread(
    fleet: Fleet, world: World
) -> None:
    handle = fleet.acquire(world.recipe)
    broken = dataclasses.replace(world.begin, app="flt_shop.nowhere:app")
    request = Call(number=1, blob=b"x" * (1 << 22), timeout_s=30)
    answer = run(fleet.begin(handle, broken, START, print, requests=[request]))
    assert isinstance(answer, StartFailed)
    handle.close()


# the zygote


def test_a_zygote_that_was_killed_is_started_again(fleet: Fleet, world: World) -> None:
    learn(fleet, world)
    handle = fresh(fleet, world)
    fleet.prepare_spare(world.recipe, world.begin)
    first = fleet.zygote()
    processes = descendants(first.pid)
    os.kill(first.pid, signal.SIGKILL)
    with pytest.raises(InstanceGone):
        run(handle.next_message(time.monotonic() + 60))
    assert run(handle.await_exit(time.monotonic() + 60)) is None, "nobody can tell how it ended"
    assert ask(fresh(fleet, world), "__import__('flt_shop').value") == 1
    assert fleet.zygote() is not first
    assert not fleet.knows(world.begin.app), "what it had learnt is gone with it"
    await_none_of(processes)


def test_one_zygote_serves_all(fleet: Fleet) -> None:
    assert fleet.zygote() is fleet.zygote()


def test_a_zygote_needs_linux_and_says_so(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SandboxUnavailableError, match="needs Linux, and this is darwin"):
        fleet.zygote()


# what is imported ahead


def test_an_instance_has_other_people_s_modules_and_none_of_the_user_s(
    fleet: Fleet, world: World
) -> None:
    assert imported(fresh(fleet, world, bare=True)) == set()
    learn(fleet, world)
    assert fleet.knows(world.begin.app)
    assert imported(fresh(fleet, world, bare=True)) == {"flt_plain"}
    assert {"flt_shop.app", "flt_plain", "flt_user"} <= imported(fresh(fleet, world))


def test_a_module_that_cannot_be_imported_ahead_is_named_with_the_reason(
    fleet: Fleet, world: World
) -> None:
    learn(fleet, world)
    assert dict(fleet.dropped) == {
        "flt_swallows": "it imports flt_shop, which is imported in instances only",
        "flt_user": "it imports flt_writes, which is imported in instances only",
    }


def test_modules_with_effects_at_import_are_imported_in_each_instance(
    fleet: Fleet, world: World
) -> None:
    learn(fleet, world)
    names = {"flt_writes", "flt_threads", "flt_swallows"}
    assert not names & imported(fresh(fleet, world, bare=True))
    handle = fresh(fleet, world)
    assert names <= imported(handle)
    shop = "__import__('sys').modules['flt_swallows'].flt_shop.__name__"
    assert ask(handle, shop) == "flt_shop", "it was not kept as it was without the app"


def test_an_app_that_cannot_be_imported_is_not_learnt(fleet: Fleet, world: World) -> None:
    world.write("flt_shop/app.py", "import flt_plain\nraise RuntimeError('no database')\n")
    learn(fleet, world)
    assert not fleet.knows(world.begin.app)
    assert imported(fresh(fleet, world, bare=True)) == set()
    answer = begin(fleet, fleet.acquire(world.recipe), world.begin)
    assert isinstance(answer, StartFailed)
    assert answer.error == "RuntimeError: no database"


def test_what_a_request_imports_is_imported_ahead_from_then_on(fleet: Fleet, world: World) -> None:
    learn(fleet, world)
    fleet.remember(world.begin, modules=("fractions",))
    handle = fresh(fleet, world, bare=True)
    assert ask(handle, "'fractions' in __import__('sys').modules") is True


def test_nothing_is_remembered_for_an_app_that_was_not_learnt(fleet: Fleet, world: World) -> None:
    fleet.zygote()
    fleet.remember(world.begin, modules=("fractions",))
    handle = fresh(fleet, world, bare=True)
    assert ask(handle, "'fractions' in __import__('sys').modules") is False


def test_where_the_app_is_defined_is_told_by_the_first_instance(fleet: Fleet, world: World) -> None:
    learn(fleet, world)
    assert world.begin.app not in fleet.app_places
    begin(fleet, fleet.acquire(world.recipe), world.begin, Start(wants_place=True))
    place = fleet.app_places[world.begin.app]
    assert place is not None
    assert (place.path, place.line) == (f"{world.project}/flt_shop/app.py", 2)


# compiled code


def sources_compiled(fleet: Fleet, world: World) -> set[str]:
    handle = fleet.acquire(world.recipe)
    answer = begin(fleet, handle, world.begin)
    assert isinstance(answer, Started), answer
    fleet.retire(handle)
    return {os.path.relpath(path, world.project) for path in answer.sources}


def test_sources_are_compiled_once_and_again_when_they_change(fleet: Fleet, world: World) -> None:
    assert sources_compiled(fleet, world) == {"flt_shop/__init__.py", "flt_shop/app.py"}
    learn(fleet, world)
    assert sources_compiled(fleet, world) == set()
    world.write("flt_shop/__init__.py", "value = 'edited'\n")
    assert ask(fresh(fleet, world), "__import__('flt_shop').value") == "edited"
    assert sources_compiled(fleet, world) == {"flt_shop/__init__.py"}
    fleet.remember(world.begin, sources=(f"{world.project}/flt_shop/__init__.py",))
    fleet.retire(fleet.acquire(world.recipe))  # the spare one is older
    assert sources_compiled(fleet, world) == set()
    assert ask(fresh(fleet, world), "__import__('flt_shop').value") == "edited"


def test_a_syntax_error_that_comes_in_later_is_told_and_goes_again(
    fleet: Fleet, world: World
) -> None:
    learn(fleet, world)
    path = f"{world.project}/flt_shop/__init__.py"
    world.write("flt_shop/__init__.py", "value = = 2\n")
    fleet.remember(world.begin, sources=(path,))  # nothing breaks in the zygote
    answer = begin(fleet, fleet.acquire(world.recipe), world.begin)
    assert isinstance(answer, StartFailed)
    assert answer.error == "SyntaxError: invalid syntax"
    assert f'File "{path}", line 1' in answer.traceback
    world.write("flt_shop/__init__.py", "value = 'mended'\n")
    assert ask(fresh(fleet, world), "__import__('flt_shop').value") == "mended"


# the end


def test_what_an_instance_left_running_is_killed_and_told_of(fleet: Fleet, world: World) -> None:
    handle = fresh(fleet, world)
    daemon = "__import__('subprocess').Popen(['sleep', '600'], start_new_session=True).pid"
    assert isinstance(ask(handle, daemon), int)
    fleet.retire(handle)
    ((number, exited),) = run(fleet.drain())
    assert number == handle.number
    assert exited.survivors == ("sleep 600",)
    assert run(fleet.drain()) == ()


def test_many_retired_instances_hold_few_descriptors(fleet: Fleet, world: World) -> None:
    fleet.zygote()
    handles = [fleet.acquire(world.recipe) for _ in range(20)]
    for handle in handles:
        fleet.retire(handle)
        await_end(handle)
    closed = [handle for handle in handles if handle._sock.fileno() == -1]
    assert len(closed) >= 10
    run(fleet.drain())
    assert all(handle._sock.fileno() == -1 for handle in handles)


def test_an_aborted_instance_tells_where_it_was(fleet: Fleet, world: World) -> None:
    handle = fresh(fleet, world)
    sleep = pickle.dumps((time.sleep, (600,), {}))
    handle.post(Call(number=1, blob=sleep, timeout_s=600))
    exited = run(fleet.abort(handle))
    assert exited is not None
    assert os.WTERMSIG(exited.status) == signal.SIGABRT
    assert b"Fatal Python error: Aborted" in handle.output.stderr
    handle.close()


def test_an_instance_that_ignores_the_abort_is_killed(fleet: Fleet, world: World) -> None:
    handle = fresh(fleet, world)
    ask(handle, "__import__('faulthandler').disable()")
    ask(handle, "str(__import__('signal').signal(6, __import__('signal').SIG_IGN))")
    exited = run(fleet.abort(handle))
    assert exited is not None
    assert os.WTERMSIG(exited.status) == signal.SIGKILL
    handle.close()


def test_close_leaves_no_process_and_no_descriptor(world: World) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 (no descriptor of its own)
    fleet = Fleet()
    learn(fleet, world)
    handle = fresh(fleet, world)
    ask(handle, "__import__('subprocess').Popen(['sleep', '600']).pid")
    fleet.prepare_spare(world.recipe, world.begin)
    fleet.retire(fresh(fleet, world))
    fleet.prepare_spare(world.recipe, world.begin)
    processes = descendants(fleet.zygote().pid)
    assert len(processes) >= 5  # two of the zygote, an instance with a child, and a spare one
    fleet.close()
    handle.close()
    fleet.close()  # harmless
    await_none_of(processes)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 (as above)


# coverage


def measured_world(world: World) -> Begin:
    """What an instance becomes in which other people's modules are measured."""
    order = CoverageOrder(options={"run:source_dirs": (world.begin.sys_path[1],)})
    return dataclasses.replace(world.begin, coverage=order)


def files_in(*measured: Message) -> set[str]:
    return {
        Path(path).name
        for one in measured
        if isinstance(one, Measured)
        for path in json.loads(one.blob)
    }


def serve_once(fleet: Fleet, world: World, message: Begin) -> list[Message]:
    """Run something in a fresh instance, and list what it says until it is done."""
    handle = fleet.acquire(world.recipe)
    begin(fleet, handle, message)
    blob = pickle.dumps((int, (), {}))
    handle.post(Call(number=1, blob=blob, timeout_s=30))
    said: list[Message] = []
    while not isinstance(one := run(handle.next_message(time.monotonic() + 60)), Done):
        said.append(one)
    return said


def test_what_is_imported_ahead_is_measured_there_and_the_rest_in_instances(world: World) -> None:
    ahead: list[Measured] = []
    message = measured_world(world)
    with contextlib.closing(TrackedFleet(ahead.append)) as fleet:
        fleet.preload_coverage(message)
        run(fleet.learn(message, START, world.recipe))
        assert {"flt_plain.py", "flt_swallows.py"} <= files_in(*ahead)
        said = serve_once(fleet, world, message)
    assert files_in(*said) >= {"flt_swallows.py", "flt_writes.py", "flt_threads.py"}
    assert "flt_plain.py" not in files_in(*said)


def test_without_an_order_nothing_is_measured_and_coverage_is_not_imported(
    fleet: Fleet, world: World
) -> None:
    fleet.preload_coverage(world.begin)
    learn(fleet, world)
    assert not any(isinstance(one, Measured) for one in serve_once(fleet, world, world.begin))
    assert ask(fresh(fleet, world), "'coverage' in __import__('sys').modules") is False


def test_coverage_is_imported_ahead_once_for_each_zygote(
    fleet: Fleet, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders: list[Preload] = []
    preload = ZygoteHandle.preload

    def noted(self: ZygoteHandle, message: Preload) -> Preloaded:
        orders.append(message)
        return preload(self, message)

    monkeypatch.setattr(ZygoteHandle, "preload", noted)
    message = measured_world(world)
    for _ in range(2):
        fleet.preload_coverage(message)
    assert [order.modules for order in orders] == [("coverage",)]
    bare = dataclasses.replace(message, app="", coverage=None)
    handle = fleet.acquire(world.recipe)
    begin(fleet, handle, bare)
    assert ask(handle, "'coverage' in __import__('sys').modules") is True
    fleet.zygote().close()
    fleet.preload_coverage(message)
    assert len(orders) == 2


def test_a_zygote_is_not_measured_by_variables_for_new_interpreters(
    fleet: Fleet, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COVERAGE_PROCESS_CONFIG", CoverageConfig().serialize())
    monkeypatch.chdir(world.project)
    for start in ("cold", "spawn"):
        world.recipe = dataclasses.replace(world.recipe, start=start)
        handle = fresh(fleet, world, bare=True)
        assert ask(handle, "'coverage' in __import__('sys').modules") is False
