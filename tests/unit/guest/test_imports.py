from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from typing import TYPE_CHECKING

import pytest

from pytest_stateless.guest.imports import CodeCache, FirstPartyFinder
from pytest_stateless.model.first_party import FirstParty

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OURS = ("imp_shop", "imp_flat", "imp_spread", "imp_installed", "imp_broken")


class World:
    """A project with first-party modules, and a folder of other people's."""

    def __init__(self, folder: Path) -> None:
        self.project = folder / "project"
        self.others = folder / "lib" / "site-packages"
        for path, text in {
            self.project / "imp_shop/__init__.py": "",
            self.project / "imp_shop/app.py": "value = 1\n",
            self.project / "imp_shop/deep/part.py": "value = 'no __init__.py'\n",
            self.project / "imp_flat.py": "value = 2\n",
            self.project / "imp_spread/one.py": "value = 3\n",
            self.project / "imp_broken.py": "value = = 3\n",
            self.others / "imp_other/__init__.py": "",
            self.others / "imp_spread/two.py": "value = 4\n",
            self.others / "imp_installed/__init__.py": "",
            self.others / "imp_wants_app.py": "import imp_shop.app\n",
            self.others / "imp_swallows.py": (
                "try:\n    import imp_shop.app\nexcept ImportError:\n    pass\n"
            ),
        }.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.first_party = FirstParty(roots=(str(self.project),), names=("imp_installed",))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path)
    monkeypatch.setattr(sys, "path", [str(world.project), str(world.others), *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    importlib.invalidate_caches()
    yield world
    for name in [name for name in sys.modules if name.startswith("imp_")]:
        del sys.modules[name]


@pytest.fixture
def zygote(world: World, monkeypatch: pytest.MonkeyPatch) -> FirstPartyFinder:
    """The finder as it is in the zygote, once it knows what is first-party."""
    finder = FirstPartyFinder()
    finder.first_party = world.first_party
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    return finder


@pytest.fixture
def instance(zygote: FirstPartyFinder) -> FirstPartyFinder:
    """The finder as it is in an instance."""
    zygote.is_refusing = False
    return zygote


# in the zygote


@pytest.mark.parametrize("name", ("imp_shop", "imp_flat", "imp_installed", "imp_installed.missing"))
@pytest.mark.usefixtures("world")
def test_the_zygote_refuses_what_is_first_party(zygote: FirstPartyFinder, name: str) -> None:
    with pytest.raises(ModuleNotFoundError, match="is imported in instances only") as caught:
        zygote.find_spec(name)
    assert caught.value.name == name
    assert zygote.refusals == [name]


def test_the_zygote_refuses_modules_within_a_package(
    zygote: FirstPartyFinder, world: World
) -> None:
    with pytest.raises(ModuleNotFoundError):
        zygote.find_spec("imp_shop.app", [str(world.project / "imp_shop")])
    assert zygote.refusals == ["imp_shop.app"]


@pytest.mark.parametrize("name", ("imp_other", "json", "colorsys", "sys", "_thread", "imp_none"))
def test_the_zygote_imports_what_is_others(zygote: FirstPartyFinder, name: str) -> None:
    spec = zygote.find_spec(name)
    assert spec is None or (spec.name == name and spec.loader is not None)
    assert (spec is None) is (name in {"imp_none", "sys", "_thread"})
    assert zygote.refusals == []


def test_a_swallowed_refusal_is_remembered_all_the_same(zygote: FirstPartyFinder) -> None:
    importlib.import_module("imp_swallows")
    assert zygote.refusals == ["imp_shop"]


def test_refusals_are_remembered_in_order(zygote: FirstPartyFinder) -> None:
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("imp_wants_app")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("imp_flat")
    assert zygote.refusals == ["imp_shop", "imp_flat"]


@pytest.mark.parametrize("name", ("imp_other", "colorsys"))
def test_a_module_can_be_refused_by_name_whoever_s_it_is(
    zygote: FirstPartyFinder, name: str
) -> None:
    zygote.refused = frozenset({name})
    with pytest.raises(ModuleNotFoundError):
        zygote.find_spec(name)


def test_before_it_knows_what_is_first_party_it_finds_nothing_and_refuses_nothing() -> None:
    finder = FirstPartyFinder()
    finder.refused = frozenset({"colorsys"})
    assert finder.find_spec("colorsys") is None
    assert finder.refusals == []


# in an instance


def test_an_instance_imports_what_is_first_party(instance: FirstPartyFinder, world: World) -> None:
    module = importlib.import_module("imp_shop.app")
    assert module.value == 1
    assert module.__file__ == str(world.project / "imp_shop/app.py")
    assert module.__cached__ == importlib.util.cache_from_source(module.__file__)
    assert instance.refusals == []


def test_an_instance_s_modules_look_as_they_do_without_the_finder(
    instance: FirstPartyFinder,
) -> None:
    ours = instance.find_spec("imp_shop")
    theirs = PathFinder.find_spec("imp_shop")
    assert ours is not None
    assert theirs is not None
    for name in ("name", "origin", "cached", "submodule_search_locations", "has_location"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert isinstance(ours.loader, SourceFileLoader)
    assert ours.loader.is_package("imp_shop")


@pytest.mark.usefixtures("instance")
def test_a_namespace_package_of_the_user_s_and_of_others_is_still_one() -> None:
    assert importlib.import_module("imp_spread.one").value == 3
    assert importlib.import_module("imp_spread.two").value == 4
    assert importlib.import_module("imp_shop.deep.part").value == "no __init__.py"


def test_in_the_zygote_only_the_user_s_part_of_a_namespace_package_is_refused(
    zygote: FirstPartyFinder,
) -> None:
    assert importlib.import_module("imp_spread.two").value == 4
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("imp_spread.one")
    assert zygote.refusals == ["imp_spread.one"]


@pytest.mark.parametrize("name", ("json", "sys", "zipimport", "colorsys"))
def test_an_instance_leaves_the_standard_library_to_others(
    instance: FirstPartyFinder, name: str
) -> None:
    assert instance.find_spec(name) is None


def test_what_others_wrote_is_loaded_by_its_own_loader(instance: FirstPartyFinder) -> None:
    spec = instance.find_spec("imp_other")
    assert spec is None or type(spec.loader) is SourceFileLoader


# compiled code


def load(finder: FirstPartyFinder, name: str) -> dict[str, object]:
    """Import a module anew."""
    sys.modules.pop(name, None)
    spec = finder.find_spec(name)
    assert isinstance(spec, ModuleSpec)
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return vars(module)


def test_code_that_is_kept_is_not_compiled_again(instance: FirstPartyFinder, world: World) -> None:
    path = str(world.project / "imp_flat.py")
    assert load(instance, "imp_flat")["value"] == 2
    assert instance.cache.missed == [path]
    instance.cache.add([path])
    assert load(instance, "imp_flat")["value"] == 2
    assert instance.cache.missed == [path]


def test_a_source_that_was_edited_is_compiled_anew(
    instance: FirstPartyFinder, world: World
) -> None:
    path = world.project / "imp_flat.py"
    instance.cache.add([str(path)])
    path.write_text("value = 'edited'\n")
    assert load(instance, "imp_flat")["value"] == "edited"
    assert instance.cache.missed == [str(path)]
    instance.cache.add([str(path)])
    assert load(instance, "imp_flat")["value"] == "edited"
    assert instance.cache.missed == [str(path)]


def test_an_edit_of_the_same_length_is_seen_by_its_time(
    instance: FirstPartyFinder, world: World
) -> None:
    path = world.project / "imp_flat.py"
    instance.cache.add([str(path)])
    path.write_text("value = 9\n")
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert load(instance, "imp_flat")["value"] == 9


def test_a_source_that_is_gone_or_wrong_is_left_out(world: World) -> None:
    cache = CodeCache()
    flat = str(world.project / "imp_flat.py")
    (world.project / "nul.py").write_bytes(b"x = 1\0\n")
    wrong = [str(world.project / name) for name in ("imp_broken.py", "nul.py", "missing.py")]
    cache.add([*wrong, flat])
    assert cache.get(flat) is not None
    assert [cache.get(path) for path in wrong[:2]] == [None, None]
    assert cache.missed == wrong[:2]


@pytest.mark.usefixtures("world")
def test_an_instance_tells_of_a_syntax_error_where_it_is(instance: FirstPartyFinder) -> None:
    with pytest.raises(SyntaxError) as caught:
        load(instance, "imp_broken")
    assert caught.value.filename is not None
    assert caught.value.filename.endswith("imp_broken.py")
    assert caught.value.lineno == 1


def test_kept_code_knows_its_file(instance: FirstPartyFinder, world: World) -> None:
    path = str(world.project / "imp_flat.py")
    instance.cache.add([path])
    code = instance.cache.get(path)
    assert code is not None
    assert code.co_filename == path
