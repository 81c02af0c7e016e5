"""The parent's side alone, as the OCI command uses it: create and start apart, hooks, a root that is ready."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from havre.oci.runtime_spec import Hook, Hooks, Root
from havre.runtime.runtime import Bundle
from tests.support.bundles import Place, busybox_tree

pytestmark = pytest.mark.root


def bear(tmp_path: Path, bundle: Bundle) -> list[str]:
    path = tmp_path / "bundle.json"
    path.write_bytes(msgspec.json.encode(bundle))
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("spawning.py")), str(path)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)},
    )
    assert not done.stderr, done.stderr
    return done.stdout.splitlines()


def ready_made(place: Place, tmp_path: Path, *args: str, hooks: Hooks | None = None) -> Bundle:
    root = busybox_tree(tmp_path / "root")
    bundle = place.bundle(*args)
    spec = replace(bundle.spec, root=Root(path=str(root)), hooks=hooks)
    return replace(bundle, spec=spec, rootfs_mounts=[], user="", make_cwd=True)


async def test_create_and_start(place: Place, tmp_path: Path) -> None:
    lines = bear(tmp_path, ready_made(place, tmp_path, "sh", "-c", "echo ran; exit 3"))
    assert lines == ["ready True True", "ran", "code 3"]


async def test_what_is_not_there_is_told_to_who_creates(place: Place, tmp_path: Path) -> None:
    (line,) = bear(tmp_path, ready_made(place, tmp_path, "nosuch"))
    assert line.startswith("create:")
    assert "executable file not found in $PATH" in line


async def test_failure_at_start_is_told_to_who_starts(place: Place, tmp_path: Path) -> None:
    bundle = replace(ready_made(place, tmp_path, "true"), make_cwd=False)
    assert bundle.spec.process is not None
    process = replace(bundle.spec.process, cwd="/gone")
    lines = bear(tmp_path, replace(bundle, spec=replace(bundle.spec, process=process)))
    assert lines[0] == "ready True True"
    assert "chdir to cwd" in lines[1]


async def test_hooks_run_in_their_order(place: Place, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    (tmp_path / "hook").write_text(f"#!/bin/sh\nread state\necho $1 >> {notes}\n")
    (tmp_path / "hook").chmod(0o755)

    def hook(name: str) -> list[Hook]:
        return [Hook(path=str(tmp_path / "hook"), args=["hook", name], timeout=10)]

    inside = [Hook(path="/bin/touch", args=["touch", "/inside"])]
    hooks = Hooks(
        prestart=hook("prestart"),
        create_runtime=hook("createRuntime"),
        create_container=hook("createContainer"),
        start_container=inside,
    )
    lines = bear(tmp_path, ready_made(place, tmp_path, "ls", "/inside", hooks=hooks))
    assert lines == ["ready True True", "/inside", "code 0"]
    assert notes.read_text().split() == ["prestart", "createRuntime", "createContainer"]


@pytest.mark.parametrize("point", ["prestart", "create_runtime", "create_container", "start_container"])
async def test_a_failing_hook_stops_it(place: Place, tmp_path: Path, point: str) -> None:
    hooks = Hooks(**{point: [Hook(path="/bin/false", args=["false"])]})
    lines = bear(tmp_path, ready_made(place, tmp_path, "echo", "ran", hooks=hooks))
    assert "ran" not in lines
    assert "hook #0: /bin/false: exit status 1" in "\n".join(lines)


async def test_a_hook_that_hangs(place: Place, tmp_path: Path) -> None:
    hooks = Hooks(prestart=[Hook(path="/bin/sleep", args=["sleep", "100"], timeout=1)])
    lines = bear(tmp_path, ready_made(place, tmp_path, "echo", "ran", hooks=hooks))
    assert lines[0].startswith("create: OCI runtime create failed: unable to start container process: ")
    assert lines[0].endswith("error running prestart hook #0: /bin/sleep did not end within 1 s")
