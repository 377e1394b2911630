from __future__ import annotations

import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attacks import ATTACKS, DONE, attempt

from pytest_stateless.session.settings import Layer, resolve

if TYPE_CHECKING:
    from sealed_instances import Sealed
    from watched_host import Host

    from pytest_stateless.session.stateless import Stateless

pytest_plugins = ("sealed_instances",)

REFUSED = {"EROFS"}
SQLITE_REFUSED = {"SQLITE_READONLY", "SQLITE_CANTOPEN"}

RUN_EACH_UNSEALED = """
import json, pathlib, sys, tempfile
import attacks
outcomes = {}
for name in attacks.ATTACKS:
    folder = pathlib.Path(tempfile.mkdtemp(dir=sys.argv[1]))
    attacks.furnish(folder)
    outcomes[name] = attacks.attempt(name, attacks.Scene(str(folder), sys.argv[2]))
print(json.dumps(outcomes))
"""


@pytest.fixture(scope="module")
def unsealed_outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    ended = subprocess.run(
        [sys.executable, "-c", RUN_EACH_UNSEALED, tmp_path_factory.mktemp("x"), uuid.uuid4().hex],
        check=False,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
    )
    assert ended.returncode == 0, ended.stderr
    outcomes: dict[str, str] = json.loads(ended.stdout)
    return outcomes


@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_it_works_where_nothing_is_sealed(unsealed_outcomes: dict[str, str], name: str) -> None:
    assert unsealed_outcomes[name] == DONE


@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_it_is_refused_in_an_instance_and_the_host_stays_as_it_is(
    stateless: Stateless, host: Host, name: str
) -> None:
    outcome = stateless.call(attempt, name, host.scene)
    assert outcome in (SQLITE_REFUSED if name.startswith("sqlite") else REFUSED)
    assert host.changes() == []


@pytest.mark.parametrize("name", ("open_a_new_file", "shell_redirect", "libc_creat"))
def test_it_is_refused_in_a_new_interpreter_too(sealed: Sealed, host: Host, name: str) -> None:
    sealed.platform.configure(resolve(Layer(origin="marker", values={"start": "spawn"})))
    assert sealed.stateless.call(attempt, name, host.scene) == "EROFS"
    assert host.changes() == []
