from __future__ import annotations

import importlib.metadata
import json
import logging
import os
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pytest_stateless
from pytest_stateless.model.coverage_order import CoverageOrder
from pytest_stateless.model.first_party import FirstParty
from pytest_stateless.model.platform import find_profile
from pytest_stateless.session import provision
from pytest_stateless.session.provision import Surroundings
from pytest_stateless.session.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_stateless.wire.messages import Begin

LAMBDA = find_profile("aws-lambda")
RUN = find_profile("cloud-run")


@pytest.fixture(autouse=True)
def fresh_caches() -> Iterator[None]:
    """Look at distributions and folders anew: a test makes its own."""
    caches = (provision._excluded, provision._local_distributions, provision._outermost)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which something is installed."""
    folder = tmp_path / "venv" / "lib" / "python3" / "site-packages"
    folder.mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(folder)])
    return folder


def surroundings(rootdir: Path) -> Surroundings:
    return Surroundings(rootdir=str(rootdir), basetemp=str(rootdir.parent / "basetemp"))


def boundary(rootdir: Path, settings: Settings | None = None) -> FirstParty:
    return provision.first_party(settings or Settings(), surroundings(rootdir))


def install(packages: Path, name: str, url: str | None, *, files: tuple[str, ...] = ()) -> None:
    """Install a distribution as pip does, from where `url` says."""
    info = packages / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    record = [*files, f"{info.name}/METADATA", f"../../../bin/{name}"]
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in record))
    for file in files:
        path = packages / file
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    if url is not None:
        (info / "direct_url.json").write_text(json.dumps({"url": url, "dir_info": {}}))
    assert importlib.metadata.distribution(name).files


# what is first-party


def test_what_lies_below_the_rootdir_is_first_party(project: Path) -> None:
    assert boundary(project).owns_file(f"{project}/shop/app.py")
    assert not boundary(project).owns_file(f"{project.parent}/other/app.py")
    assert not boundary(project).owns_file(f"{project}-2/app.py")


@pytest.mark.parametrize("name", (".venv", "venv", "env", ".tox", "node_modules", "my-own-venv"))
def test_an_environment_below_the_rootdir_is_not_first_party(project: Path, name: str) -> None:
    folder = project / name
    folder.mkdir()
    if name == "my-own-venv":
        (folder / "pyvenv.cfg").write_text("")
    drawn = boundary(project)
    assert not drawn.owns_file(f"{folder}/src/lib.py")
    assert drawn.owns_file(f"{project}/shop/{name}.py")


def test_the_running_environment_is_not_first_party_wherever_it_lies(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = project / "deep" / "environment"
    prefix.mkdir(parents=True)
    monkeypatch.setattr(sys, "prefix", str(prefix))
    assert not boundary(project).owns_file(f"{prefix}/lib/python3/json/__init__.py")


@pytest.mark.parametrize("attribute", ("prefix", "base_prefix"))
@pytest.mark.parametrize("above", (0, 1, 2))
def test_a_project_below_the_interpreter_s_folder_is_first_party(
    project: Path, monkeypatch: pytest.MonkeyPatch, attribute: str, above: int
) -> None:
    # such as /usr/src/app with Debian's /usr/bin/python3
    monkeypatch.setattr(sys, attribute, str([project, *project.parents][above]))
    assert boundary(project).owns_file(f"{project}/shop/app.py")


def test_this_package_is_not_first_party_even_in_its_own_folder() -> None:
    folder = Path(pytest_stateless.__file__).parent
    drawn = boundary(folder.parent)
    assert not drawn.owns_file(str(folder / "guest" / "server.py"))
    assert drawn.owns_file(str(folder.parent / "examples" / "app.py"))


def test_the_app_s_top_level_package_is_first_party_wherever_it_is_installed(
    project: Path,
) -> None:
    drawn = boundary(project, Settings(app="shop.web.app:app"))
    assert drawn.names[-1:] == ("shop",)
    assert drawn.owns_module("shop.models")
    site = sysconfig.get_path("purelib")
    assert drawn.owns_file(f"{site}/shop/models.py")
    assert not drawn.owns_file(f"{site}/shoplib/models.py")


def test_stateless_source_names_packages_and_folders(project: Path) -> None:
    elsewhere = project.parent / "monorepo" / "libs"
    drawn = boundary(
        project, Settings(source=("common", "../monorepo/libs", f"{project.parent}/absolute"))
    )
    assert drawn.owns_module("common.cache")
    assert drawn.owns_file(f"{elsewhere}/cache.py")
    assert drawn.owns_file(f"{project.parent}/absolute/x.py")
    assert not drawn.owns_module("libs")


@pytest.mark.parametrize("quoted", (False, True))
def test_a_distribution_installed_from_a_local_folder_is_first_party(
    project: Path, packages: Path, *, quoted: bool
) -> None:
    source = project.parent / ("my lib" if quoted else "lib")
    source.mkdir()
    install(packages, "lib", source.as_uri(), files=("lib_core/__init__.py", "lib_main.py"))
    drawn = boundary(project)
    assert {"lib_core", "lib_main"} <= set(drawn.names)
    assert str(source) in drawn.roots
    assert drawn.owns_file(f"{packages}/lib_core/db.py")
    assert drawn.owns_file(f"{source}/src/lib_core/db.py")


@pytest.mark.parametrize(
    "url",
    (
        None,
        "https://example.org/lib.git",
        "file:///no/such/folder",
        "file:///etc/passwd",
        Path(pytest_stateless.__file__).parents[1].as_uri(),
    ),
)
def test_any_other_distribution_is_not(project: Path, packages: Path, url: str | None) -> None:
    install(packages, "lib", url, files=("lib_core/__init__.py",))
    drawn = boundary(project)
    assert drawn.names == ()
    assert drawn.roots == (str(project),)
    assert not drawn.owns_file(f"{packages}/lib_core/db.py")


# installed copies


@pytest.mark.parametrize("layout", ("", "src"))
@pytest.mark.parametrize("form", ("shop", "shop.py"))
def test_an_installed_copy_is_matched_with_its_source(
    project: Path, packages: Path, layout: str, form: str
) -> None:
    for folder in (project / layout, packages):
        folder.mkdir(exist_ok=True)
        path = folder / form
        path.write_text("") if form.endswith(".py") else path.mkdir()
    drawn = boundary(project, Settings(app="shop:app"))
    assert provision.source_map(drawn) == ((str(packages / form), str(project / layout / form)),)


@pytest.mark.parametrize("missing", ("source", "copy"))
def test_there_is_nothing_to_match_without_both(
    project: Path, packages: Path, missing: str
) -> None:
    ((packages if missing == "source" else project) / "shop").mkdir()
    drawn = boundary(project, Settings(app="shop:app"))
    assert provision.source_map(drawn) == ()


def test_what_is_installed_and_not_first_party_is_not_matched(
    project: Path, packages: Path
) -> None:
    for folder in (project, packages):
        (folder / "other").mkdir()
    assert provision.source_map(boundary(project, Settings(app="shop:app"))) == ()


# the seal


def test_a_seal_shows_what_lies_below_tmp_and_nothing_else(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = project.parent / "basetemp"
    library = project.parent / "library"
    for folder in (base, library, project / "inner", project.parent / "project-2"):
        folder.mkdir()
    paths = [
        str(library),
        str(project / "inner"),
        str(project.parent / "project-2"),
        "",
        "/usr/lib",
        str(project / "missing"),
        str(library / "archive.zip"),
    ]
    monkeypatch.setattr(sys, "path", paths)
    seal = provision.seal(Settings(), surroundings(project), ())
    ours = {path for path in seal.visible if path.startswith(f"{project.parent}/")}
    if os.path.realpath(project).startswith("/tmp/"):
        assert ours == {str(base), str(library), str(project), str(project.parent / "project-2")}
    assert all(path.startswith("/tmp/") for path in seal.visible)
    assert seal.tmp_bytes == LAMBDA.tmp_bytes
    assert seal.writable == ()


@pytest.mark.parametrize(
    ("paths", "kept"),
    (
        (("a", "a/b", "a/b/c"), ("a",)),
        (("a/b", "a-b", "a"), ("a", "a-b")),
        (("a/b", "a/c"), ("a/b", "a/c")),
        (("link",), ("a",)),
        (("link/b", "a"), ("a",)),
        (("a", "a"), ("a",)),
        (("file", "missing"), ()),
        ((), ()),
    ),
)
def test_only_the_outermost_folders_are_kept_by_their_real_paths(
    tmp_path: Path, paths: tuple[str, ...], kept: tuple[str, ...]
) -> None:
    for name in ("a/b/c", "a/c", "a-b"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "file").write_text("")
    found = provision._outermost(tuple(str(tmp_path / path) for path in paths))
    real = os.path.realpath(tmp_path)
    assert found == (tuple(f"{real}/{name}" for name in kept) if real.startswith("/tmp/") else ())


def test_the_working_directory_stays_visible(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    seal = provision.seal(Settings(), surroundings(project), ())
    real = os.path.realpath(elsewhere)
    assert (real in seal.visible) is real.startswith("/tmp/")


def test_service_paths_are_writable_by_their_real_paths_and_once(project: Path) -> None:
    (project / "var").mkdir()
    (project / "data").symlink_to("var")
    declared = (f"{project}/var", f"{project}/data", f"{project}/./var", "/srv")
    seal = provision.seal(Settings(), surroundings(project), declared)
    assert seal.writable == tuple(sorted({os.path.realpath(project / "var"), "/srv"}))


def test_equal_seals_come_of_equal_surroundings_in_any_order(project: Path) -> None:
    for name in ("one", "two"):
        (project / name).mkdir()
    paths = [f"{project}/one", f"{project}/two"]
    seals = [
        provision.seal(Settings(), surroundings(project), order) for order in (paths, paths[::-1])
    ]
    assert seals[0] == seals[1]


def test_only_where_writes_are_discarded_is_there_a_disk(project: Path) -> None:
    assert provision.seal(Settings(platform=LAMBDA), surroundings(project), ()).disk is None
    disk = provision.seal(Settings(platform=RUN), surroundings(project), ()).disk
    assert disk is not None
    assert disk.size_bytes == RUN.disk_bytes


# what an instance becomes


def become(settings: Settings, *, with_app: bool = True) -> Begin:
    return provision.begin(settings, FirstParty(roots=("/nowhere",)), with_app=with_app)


def test_an_instance_gets_the_test_process_as_it_is_now(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TABLE_NAME", "orders")
    monkeypatch.syspath_prepend("/made/for/this/test")
    monkeypatch.setattr(sys, "argv", ["pytest", "-x"])
    begin = become(Settings(app="shop:app", setup="tests.sealed:setup"))
    assert begin.environ["TABLE_NAME"] == "orders"
    assert begin.sys_path[0] == "/made/for/this/test"
    assert begin.argv == ("pytest", "-x")
    assert begin.cwd == str(project)
    assert (begin.app, begin.setup) == ("shop:app", "tests.sealed:setup")
    assert begin.memory_bytes == LAMBDA.memory_bytes
    assert not begin.sends_exceptions


def test_a_measured_instance_is_told_what_to_measure_and_starts_nothing_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COVERAGE_PROCESS_START", "setup.cfg")
    assert become(Settings()).environ["COVERAGE_PROCESS_START"] == "setup.cfg"
    order = CoverageOrder(options={"run:branch": True})
    boundary = FirstParty(roots=("/nowhere",))
    begin = provision.begin(Settings(), boundary, with_app=True, coverage=order)
    assert begin.coverage == order
    assert "COVERAGE_PROCESS_START" not in begin.environ


def test_the_environment_of_the_test_beats_the_settings_and_these_the_platform(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    env = (("PORT", "1"), ("K_SERVICE", "settings"), ("ONLY", "settings"))
    monkeypatch.setenv("PORT", "2")
    monkeypatch.delenv("K_SERVICE", raising=False)
    environ = become(Settings(platform=RUN, env=env)).environ
    assert environ["PORT"] == "2"
    assert environ["K_SERVICE"] == environ["ONLY"] == "settings"
    assert environ["K_REVISION"] == dict(RUN.environment)["K_REVISION"]


def test_only_a_lambda_platform_gives_lambda_s_own_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("_HANDLER", "AWS_LAMBDA_FUNCTION_NAME", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    environ = become(Settings(app="shop.app:main", platform=LAMBDA)).environ
    assert environ["_HANDLER"] == "shop.app.main"
    assert environ["AWS_LAMBDA_FUNCTION_NAME"] == "function"
    assert environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "1024"
    assert "_HANDLER" not in become(Settings(app="shop.app:main", platform=RUN)).environ


def test_a_region_that_the_test_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    assert become(Settings(platform=LAMBDA)).environ["AWS_REGION"] == "eu-central-1"


def test_two_instances_have_log_streams_of_their_own() -> None:
    streams = {
        become(Settings(platform=LAMBDA)).environ["AWS_LAMBDA_LOG_STREAM_NAME"] for _ in range(2)
    }
    assert len(streams) == 2


def test_an_instance_without_the_app_runs_no_set_up_and_sends_exceptions() -> None:
    begin = become(Settings(app="shop:app", setup="tests.sealed:setup"), with_app=False)
    assert (begin.app, begin.setup) == ("", "")
    assert begin.sends_exceptions


def test_an_instance_knows_whether_it_has_a_disk_of_its_own() -> None:
    assert not become(Settings(platform=LAMBDA)).has_disk
    assert become(Settings(platform=RUN)).has_disk


def test_exceptions_travel_where_the_settings_say_so() -> None:
    assert become(Settings(app="shop:app", raises_app_exceptions=True)).sends_exceptions


# logging


def test_the_levels_that_a_test_has_set_are_told_and_no_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logging.getLogger("shop.quiet")
    with caplog.at_level(logging.DEBUG, logger="shop.talkative"), caplog.at_level(logging.INFO):
        levels = provision.log_levels()
    assert levels["shop.talkative"] == logging.DEBUG
    assert levels[""] == logging.INFO
    assert not {"shop.quiet", "shop"} & set(levels)
    assert "shop.talkative" not in provision.log_levels()
