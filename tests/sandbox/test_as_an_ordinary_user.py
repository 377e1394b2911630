from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import RunUnprivileged

HERE = Path(__file__).parent
# the other plugins take longer to load than most modules to run
ALONE = ("--disable-plugin-autoload", "-p", "stateless")
MODULES = sorted(path for path in HERE.glob("test_*.py") if path != Path(__file__))


@pytest.mark.slow
@pytest.mark.usefixtures("sandbox")
@pytest.mark.skipif(os.geteuid() != 0, reason="the suite runs as an ordinary user already")
@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_everything_holds_for_an_ordinary_user_too(
    run_unprivileged: RunUnprivileged, monkeypatch: pytest.MonkeyPatch, module: Path
) -> None:
    monkeypatch.setenv("STATELESS_SANDBOX_REQUIRED", "1")
    ended = run_unprivileged(
        sys.executable, "-m", "pytest", *ALONE, "-q", "-p", "no:cacheprovider", "--tb=short", module
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    summary = ended.stdout.splitlines()[-1]
    assert re.fullmatch(r"\d+ passed in .*", summary), ended.stdout
