"""kill -9 of havred at random in pulls, pushes, loads and sweeps: each start after it finds a sound store."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.archives import DockerArchive, tar
from tests.support.debian_registry import Registry
from tests.support.debian_registry import running as serving
from tests.support.engines import DOCKER, Havre, running
from tests.support.hosts import Host

pytestmark = [pytest.mark.root, pytest.mark.timeout(600)]

ROUNDS = 20


@pytest.fixture
def registry(host: Host, tmp_path: Path) -> Iterator[Registry]:
    with serving(Registry(host, tmp_path / "registry")) as made:
        yield made


def layers() -> list[bytes]:
    shuffled = random.Random(7)
    return [tar({f"f{n}/{k}": shuffled.randbytes(300_000) for k in range(10)}) for n in range(4)]


def test_kills(host: Host, registry: Registry, tmp_path: Path) -> None:
    name = f"{registry.name}/big:1"
    archive = tmp_path / "image.tar"
    archive.write_bytes(DockerArchive(layers(), tags=[name]).bytes())
    engine = Havre(host, tmp_path / "hv")
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    verbs = {
        "pull": ["pull", name],
        "push": ["push", name],
        "load": ["load", "-qi", str(archive)],
        "sweep": ["image", "prune", "-af"],
    }
    with running(engine):
        engine.docker("load", "-qi", str(archive), check=True)
        engine.docker("push", name, check=True)
        for number in range(ROUNDS):
            verb = ("pull", "push", "load", "sweep")[number % 4]
            if verb in {"pull", "load"}:
                engine.docker("rmi", "-f", name)
            else:
                engine.docker("load", "-qi", str(archive), check=True)
            client = subprocess.Popen(
                [DOCKER, *verbs[verb]], env=engine.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            time.sleep(chance.uniform(0, 0.6))
            engine.kill()
            client.wait(30)
            engine.start()
            sound = engine.havre("system", "check", timeout_s=120)
            left = [line for line in sound.stdout.decode().splitlines() if not line.startswith(("leftover", "No"))]
            assert not [line for line in left if "problems" not in line], (verb, sound.stdout, engine.tail())
            if verb != "sweep":
                engine.docker(*verbs[verb], check=True)
        engine.docker("rmi", "-f", name)
        engine.docker("pull", name, check=True)
        engine.havre("system", "check", "--repair", check=True, timeout_s=120)
        assert b"No problems" in engine.havre("system", "check", check=True, timeout_s=120).stdout


def test_layers_that_had_arrived_are_used_again(host: Host, registry: Registry, tmp_path: Path) -> None:
    name = f"{registry.name}/big:1"
    archive = tmp_path / "image.tar"
    archive.write_bytes(DockerArchive(layers(), tags=[name]).bytes())
    engine = Havre(host, tmp_path / "hv")
    with running(engine):
        engine.docker("load", "-qi", str(archive), check=True)
        engine.docker("push", name, check=True)
        engine.docker("rmi", name, check=True)
        client = subprocess.Popen([DOCKER, "pull", name], env=engine.environment(), stdout=subprocess.DEVNULL)
        blobs = engine.data_root / "content/blobs/sha256"
        deadline = time.monotonic() + 30
        while not any(path.stat().st_size > 1_000_000 for path in blobs.iterdir()):
            assert time.monotonic() < deadline
        engine.kill()
        client.wait(30)
        arrived = {path.name for path in blobs.iterdir() if path.stat().st_size > 1_000_000}
        engine.start()
        said = engine.out("pull", name)
        assert said.count("Already exists") >= len(arrived) > 0
        assert f"Downloaded newer image for {name}" in said or "up to date" in said
