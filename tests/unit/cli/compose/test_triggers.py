"""Which changes set off which trigger."""

from __future__ import annotations

from pathlib import Path

import pytest

from havre.cli.compose.triggers import highest, watched
from havre.compose.errors import ComposeError
from havre.compose.model.build import Build
from havre.compose.model.parts import Develop, Trigger
from havre.compose.model.service import Service


def service(*triggers: Trigger, build: Build | None = None) -> Service:
    return Service(name="web", image="x", build=build, develop=Develop(triggers))


def test_paths_and_targets(tmp_path: Path) -> None:
    trigger = Trigger(f"{tmp_path}/src", "sync", "/app", ignore=("node_modules/", "*.tmp"))
    (one,) = watched([service(trigger)])
    assert one.takes(f"{tmp_path}/src/a/b.py")
    assert one.target(f"{tmp_path}/src/a/b.py") == "/app/a/b.py"
    assert one.target(f"{tmp_path}/src") == "/app"
    for ignored in ("src/node_modules/x.js", "src/x.tmp", "src/.git/HEAD", "src/a/.b.swp", "other/b.py"):
        assert not one.takes(f"{tmp_path}/{ignored}"), ignored


def test_only_what_is_included(tmp_path: Path) -> None:
    (one,) = watched([service(Trigger(str(tmp_path), "sync", "/app", include=("*.py",)))])
    assert one.takes(f"{tmp_path}/a.py")
    assert not one.takes(f"{tmp_path}/a.js")


def test_the_contexts_ignore_file_counts(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text("# x\ndist\n")
    (one,) = watched([service(Trigger(str(tmp_path), "rebuild"), build=Build(context=str(tmp_path)))])
    assert not one.takes(f"{tmp_path}/dist/x")
    assert one.takes(f"{tmp_path}/src")


def test_refusals() -> None:
    with pytest.raises(ComposeError, match="needs a target"):
        watched([service(Trigger("/x", "sync"))])
    with pytest.raises(ComposeError, match="without a build context"):
        watched([service(Trigger("/x", "rebuild"))])
    with pytest.raises(ComposeError, match="illegal exclusion pattern"):
        watched([service(Trigger("/x", "restart", ignore=("!",)))])


def test_highest() -> None:
    assert highest({"/a/b", "/a", "/ab", "/c/d/e", "/c/d"}) == ["/a", "/ab", "/c/d"]
