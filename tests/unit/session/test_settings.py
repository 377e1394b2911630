from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_stateless.errors import ConfigurationError
from pytest_stateless.model.platform import PROFILES, find_profile
from pytest_stateless.model.quantity import GB, MB
from pytest_stateless.model.rule import Severity
from pytest_stateless.session.options import DEFAULT_PLATFORM, OPTIONS, Option
from pytest_stateless.session.settings import Layer, Settings, resolve

README = Path(__file__).resolve().parents[3] / "README.md"
ROW = re.compile(r"^\| `(stateless_\w+)` \|[^|]*\| (?:`([^`]*)` )?\|$", re.MULTILINE)

VALUES: dict[str, tuple[object, object]] = {
    # two valid values of each option that has a field of its own
    "app": ("shop:app", "shop:create_app()"),
    "platform": ("vercel", "cloud-run"),
    "start": ("cold", "spawn"),
    "isolation": ("auto", "namespace"),
    "writes": ("refuse", "discard"),
    "service_paths": (["/one"], ["/two", "/three"]),
    "fail_on": ("warning", "never"),
    "env": (["A=1"], ["B=2"]),
    "setup": ("shop:one", "shop:two"),
    "source": (["lib"], ["vendor"]),
    "preload": ("learn", "none"),
    "raise_app_exceptions": (True, False),
    "tmp_size": ("1 MB", "2 MB"),
    "memory": ("1 GB", "2 GB"),
    "timeout": ("1 s", "2 s"),
}
each_option = pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)


def ini(**values: object) -> Layer:
    return Layer(origin="ini file", values=values)


def line(**values: object) -> Layer:
    return Layer(origin="command line", values=values)


def marker(**values: object) -> Layer:
    return Layer(origin="marker", values=values)


def content(settings: Settings) -> dict[str, object]:
    return {
        name: getattr(settings, name) for name in Settings.__dataclass_fields__ if name != "origins"
    }


# the table


def test_nothing_set_gives_the_defaults_that_the_table_names() -> None:
    settings = resolve()
    assert settings == Settings()
    defaults = {option.name: option.default for option in OPTIONS}
    assert settings.platform.name == defaults["platform"] == DEFAULT_PLATFORM
    assert (settings.start, settings.isolation) == (defaults["start"], defaults["isolation"])
    assert settings.fail_on is Severity(defaults["fail_on"])
    assert settings.preloads is (defaults["preload"] == "learn")
    assert settings.raises_app_exceptions is (defaults["raise_app_exceptions"] == "true")


@each_option
def test_a_default_that_is_written_out_changes_nothing(option: Option) -> None:
    if option.default and option.kind != "bool":
        assert content(resolve(ini(**{option.name: option.default}))) == content(resolve())
    else:
        assert option.default in {"", "false"}


@each_option
def test_every_option_is_named_alike_everywhere(option: Option) -> None:
    assert option.name.isidentifier()
    assert option.ini == f"stateless_{option.name}"
    assert option.flag == "--" + option.ini.replace("_", "-")
    assert option.help
    assert not option.help.endswith(".")


@each_option
def test_every_choice_of_an_option_is_accepted(option: Option) -> None:
    origin = "marker" if option.on_marker else "ini file"
    for choice in option.choices:
        settings = resolve(Layer(origin=origin, values={option.name: choice}))
        assert settings.origins == {option.name: origin}


def test_the_readme_s_rows_are_of_options_that_exist_with_their_defaults() -> None:
    rows = dict(ROW.findall(README.read_text(encoding="utf-8")))
    assert rows
    assert rows.items() <= {option.ini: option.default for option in OPTIONS}.items()


def test_the_help_of_the_platform_names_every_profile() -> None:
    option = next(option for option in OPTIONS if option.name == "platform")
    assert option.help.partition(": ")[2] == ", ".join(PROFILES)


# the merge


@pytest.mark.parametrize("name", VALUES)
def test_a_later_layer_wins_over_an_earlier_one(name: str) -> None:
    first, second = VALUES[name]
    earlier, later = ini(**{name: first}), line(**{name: second})
    assert content(resolve(earlier, later)) == content(resolve(later)) != content(resolve(earlier))
    assert resolve(earlier, later).origins == {name: "command line"}


@given(
    layers=st.lists(
        st.fixed_dictionaries(
            {}, optional={name: st.sampled_from(values) for name, values in VALUES.items()}
        ),
        max_size=4,
    )
)
def test_any_layers_resolve_like_the_one_layer_that_has_each_last_value(
    layers: list[dict[str, object]],
) -> None:
    merged: dict[str, object] = {}
    for values in layers:
        merged |= values
    resolved = resolve(*(ini(**values) for values in layers))
    assert content(resolved) == content(resolve(ini(**merged)))
    assert set(resolved.origins) == set(merged)


def test_accepted_findings_of_all_layers_add_up_in_order() -> None:
    settings = resolve(
        ini(allow=["SL101  # a", "SL105:shop/*  # b"]), marker(allow="SL103  # c"), marker(allow=())
    )
    assert [(one.rule, one.pattern, one.reason) for one in settings.allow] == [
        ("SL101", "*", "a"),
        ("SL105", "shop/*", "b"),
        ("SL103", "*", "c"),
    ]


def test_each_layer_is_told_as_the_origin_of_what_it_set() -> None:
    settings = resolve(
        ini(app="shop:app", start="cold"), line(start="spawn"), marker(timeout="1 s")
    )
    assert settings.origins == {"app": "ini file", "start": "command line", "timeout": "marker"}


@pytest.mark.parametrize(
    ("minimum", "wanted", "taken"),
    (
        ("namespace", "fake", "namespace"),
        ("namespace", "auto", "namespace"),
        ("landlock", "fake", "landlock"),
        ("landlock", "landlock", "landlock"),
        ("landlock", "namespace", "namespace"),
        ("fake", "landlock", "landlock"),
        ("auto", "fake", "fake"),
    ),
)
def test_an_isolation_named_on_the_command_line_is_a_minimum_that_no_marker_lowers(
    minimum: str, wanted: str, taken: str
) -> None:
    layers = (ini(isolation="fake"), line(isolation=minimum), marker(isolation=wanted))
    assert resolve(*layers).isolation == taken


def test_an_isolation_of_the_ini_file_is_lowered_by_the_command_line_and_by_a_marker() -> None:
    named = ini(isolation="namespace")
    assert resolve(named, line(isolation="fake")).isolation == "fake"
    assert resolve(named, marker(isolation="landlock")).isolation == "landlock"


# values


@pytest.mark.parametrize("value", ("warm", "", "COLD", ["cold"], None, 3))
def test_an_unknown_choice_is_refused_with_the_choices(value: object) -> None:
    with pytest.raises(ConfigurationError, match=r"choose one of auto, cold, snapshot, spawn$"):
        resolve(marker(start=value))


@each_option
def test_the_marker_takes_the_options_that_are_marked_so_and_no_others(option: Option) -> None:
    value = VALUES.get(option.name, ("refuse", ""))[0]
    layer = marker(**{option.name: [] if option.name == "allow" else value})
    if option.on_marker:
        assert resolve(layer).origins == {option.name: "marker"}
    else:
        with pytest.raises(ConfigurationError, match=rf"^marker: '{option.name}' is no option"):
            resolve(layer)


def test_an_option_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(ConfigurationError) as caught:
        resolve(marker(tmp="1 MB"))
    assert str(caught.value) == (
        "marker: 'tmp' is no option; choose one of app, platform, start, isolation, writes, "
        "allow, tmp_size, memory, timeout"
    )


def test_a_platform_s_limits_are_those_of_its_profile_but_for_what_is_set() -> None:
    platform = resolve(ini(platform="vercel", tmp_size="12 MB"), marker(memory=GB)).platform
    vercel = find_profile("vercel")
    assert platform.tmp_bytes == 12 * MB
    assert platform.memory_bytes == GB
    assert (platform.name, platform.timeout_s, platform.request_bytes) == (
        "vercel",
        vercel.timeout_s,
        vercel.request_bytes,
    )


def test_what_becomes_of_writes_is_the_platform_s_choice_unless_somebody_says_so() -> None:
    assert resolve().platform.writes == "refuse"
    assert resolve(ini(platform="cloud-run")).platform.writes == "discard"
    assert resolve(ini(platform="cloud-run", writes="refuse")).platform.writes == "refuse"
    assert resolve(ini(writes="discard"), marker(platform="vercel")).platform.writes == "discard"
    assert resolve(ini(writes="discard"), marker(writes="refuse")).platform.writes == "refuse"


def test_a_disk_of_an_instance_s_own_has_half_of_its_memory() -> None:
    assert resolve(ini(platform="cloud-run", memory="1 GB")).platform.disk_bytes == 512 * MB


def test_a_timeout_can_be_shorter_than_a_second() -> None:
    assert resolve(marker(timeout="250 ms")).platform.timeout_s == 0.25


@pytest.mark.parametrize("name", ("tmp_size", "memory", "timeout"))
@pytest.mark.parametrize("value", ("12 parsecs", "", "-1 MB", 0, "0", -1, True, [1], float("nan")))
def test_a_quantity_that_cannot_be_meant_is_refused_by_its_name(name: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{name} = "):
        resolve(marker(**{name: value}))


@pytest.mark.parametrize("name", ("app", "platform", "setup"))
@pytest.mark.parametrize("value", (3, ["shop:app"], None, object))
def test_a_text_that_is_none_is_refused_by_its_name(name: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{name} = .* is no text"):
        resolve(ini(**{name: value}))


def test_an_app_reference_is_checked_before_anything_runs() -> None:
    with pytest.raises(ConfigurationError, match="'shop' cannot be read"):
        resolve(marker(app="shop"))


def test_an_unknown_platform_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ConfigurationError, match=r"choose one of aws-lambda, cloud-run, vercel"):
        resolve(line(platform="heroku"))


@pytest.mark.parametrize(
    ("entry", "pair"),
    (
        ("TABLE_NAME=orders", ("TABLE_NAME", "orders")),
        (" A = b c ", ("A", "b c")),
        ("EMPTY=", ("EMPTY", "")),
        ("URL=postgres://u:p@h/db?a=b", ("URL", "postgres://u:p@h/db?a=b")),
    ),
)
def test_an_env_line_is_cut_at_its_first_equals_sign(entry: str, pair: tuple[str, str]) -> None:
    assert resolve(ini(env=[entry])).env == (pair,)


@pytest.mark.parametrize("entry", ("TABLE_NAME", "=orders", "  = x", ""))
def test_an_env_line_without_name_or_value_is_refused(entry: str) -> None:
    with pytest.raises(ConfigurationError, match="write NAME=value") as caught:
        resolve(ini(env=[entry]))
    assert repr(entry) in str(caught.value)


def test_never_failing_is_no_severity() -> None:
    assert resolve(ini(fail_on="never")).fail_on is None
    assert resolve(ini(fail_on="warning")).fail_on is Severity.WARNING
