"""Volumes whose driver is a program of somebody else's, on Havre and on the reference."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engines import Engine, Havre
from tests.support.volume_plugin import VolumePlugin, volume_plugin

pytestmark = pytest.mark.root


@pytest.fixture
def plugin(either: Engine, tmp_path: Path) -> Iterator[VolumePlugin]:
    with volume_plugin(tmp_path) as made:
        yield made
        either.remove_all()
        for name in either.out("volume", "ls", "-q").split():
            either.docker("volume", "rm", "-f", name)


def test_the_life_of_a_foreign_volume(either: Engine, plugin: VolumePlugin) -> None:
    assert either.out("volume", "create", "-d", plugin.name, "-o", "colour=blue", "vol") == "vol"
    assert plugin.options == {"vol": {"colour": "blue"}}
    run = ("run", "--rm", "-v", "vol:/v", "busybox")
    either.docker(*run, "sh", "-c", "echo kept > /v/f", check=True)
    assert (plugin.root / "vol/f").read_text() == "kept\n"
    assert either.out(*run, "cat", "/v/f") == "kept"
    assert plugin.mounted == {"vol": set()}
    shown = json.loads(either.out("volume", "inspect", "vol"))[0]
    assert (shown["Driver"], shown["Status"], shown["Options"]) == (plugin.name, {"mood": "fine"}, {"colour": "blue"})
    assert either.out("volume", "ls", "--format", "{{.Driver}} {{.Name}}") == f"{plugin.name} vol"
    assert either.out("volume", "ls", "-q", "-f", f"driver={plugin.name}") == "vol"
    assert either.out("volume", "ls", "-q", "-f", "driver=local") == ""
    assert either.out("volume", "rm", "vol") == "vol"
    assert plugin.options == {}


def test_it_is_mounted_as_long_as_a_container_runs(either: Engine, plugin: VolumePlugin) -> None:
    mount = f"type=volume,src=vol,dst=/v,volume-driver={plugin.name},volume-opt=a=b"
    either.docker("run", "-d", "--name", "user", "--mount", mount, "busybox", "sleep", "1000", check=True)
    assert plugin.options == {"vol": {"a": "b"}}
    assert len(plugin.mounted["vol"]) == 1
    (shown,) = json.loads(either.out("inspect", "-f", "{{json .Mounts}}", "user"))
    assert (shown["Name"], shown["Driver"], shown["RW"]) == ("vol", plugin.name, True)
    assert b"volume is in use" in either.docker("volume", "rm", "vol").stderr
    either.docker("stop", "-t", "0", "user", check=True)
    assert plugin.mounted["vol"] == set()
    either.docker("start", "user", check=True)
    assert len(plugin.mounted["vol"]) == 1


def test_each_mount_is_answered_by_one_unmount(either: Engine, plugin: VolumePlugin) -> None:
    places = ("-v", "vol:/a", "-v", "vol:/b", "--mount", "type=volume,src=vol,dst=/c,ro")
    either.docker(
        "run", "--rm", "--volume-driver", plugin.name, *places, "busybox", "touch", "/a/f", "/b/g", check=True
    )
    calls = Counter(call for call, _ in plugin.calls)
    assert calls["VolumeDriver.Mount"] == calls["VolumeDriver.Unmount"] > 0
    assert plugin.mounted == {"vol": set()}


def test_the_driver_of_a_whole_container(either: Engine, plugin: VolumePlugin) -> None:
    either.docker(
        "create", "--name", "user", "--volume-driver", plugin.name, "-v", "vol:/v", "busybox", "true", check=True
    )
    assert list(plugin.options) == ["vol"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("volume create -d hv-none vol", "hv-none"),
        ("volume create -d PLUGIN -o bad=that vol", "cannot do that"),
        (
            "run --rm --mount type=volume,src=vol,dst=/v,volume-driver=PLUGIN,volume-opt=mount=fails busybox true",
            "the disk is on fire",
        ),
    ],
)
def test_what_fails_is_told(either: Engine, plugin: VolumePlugin, line: str, message: str) -> None:
    done = either.docker(*line.replace("PLUGIN", plugin.name).split())
    assert done.returncode != 0
    assert message in done.stderr.decode()
    assert either.out("ps", "-q") == ""


def test_an_unknown_driver_is_not_taken_for_an_unknown_image(havre: Havre) -> None:
    done = havre.docker("run", "--rm", "--volume-driver", "hv-none", "-v", "vol:/v", "busybox", "true")
    assert done.returncode == 125
    assert b'create vol: error looking up volume plugin hv-none: plugin "hv-none" not found' in done.stderr
    assert b"Unable to find image" not in done.stderr


def test_a_daemon_that_died_finds_its_foreign_volumes_again(havre: Havre, tmp_path: Path) -> None:
    with volume_plugin(tmp_path) as plugin:
        _outlive(havre, plugin)


def _outlive(either: Havre, plugin: VolumePlugin) -> None:
    either.docker(
        "run", "-d", "--name", "user", "--volume-driver", plugin.name, "-v", "vol:/v", "busybox", "sleep", "1000"
    )
    either.kill()
    either.start()
    either.docker("exec", "user", "sh", "-c", "echo kept > /v/f", check=True)
    assert (plugin.root / "vol/f").read_text() == "kept\n"
    either.docker("rm", "-f", "user", check=True)
    assert plugin.mounted["vol"] == set()
    either.docker("volume", "rm", "vol", check=True)
    assert plugin.options == {}
