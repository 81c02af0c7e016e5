"""What instructions leave in an image's settings: random Dockerfiles to Docker's classic builder and to Havre's reader.

The instructions run no command and copy no file, so that nothing but the language decides.
"""

from __future__ import annotations

import json
import random
from typing import Any

import msgspec
import pytest

from havre.build.dockerfile.expansion import expand
from havre.build.dockerfile.instructions import Arg, Env, Stage
from havre.build.dockerfile.program import read_text
from havre.build.dockerfile.scope import Scope
from havre.build.dockerfile.settings import Settings
from havre.oci.image_config import ProcessConfig
from tests.support.engines import Reference

pytestmark = [pytest.mark.root, pytest.mark.reference]

POOL = [
    'CMD ["a", "b c"]',
    "CMD echo  $V",
    "CMD []",
    'ENTRYPOINT ["e"]',
    "ENTRYPOINT e  f",
    "ENTRYPOINT []",
    'SHELL ["/bin/bash", "-c"]',
    "ENV V=1 W=$V",
    "ENV V two  words",
    "ENV PATH=/x:$PATH",
    "LABEL a=1 b=$V",
    'LABEL "c d"="e f" a=2',
    "EXPOSE 80 53/udp $P",
    "EXPOSE 8000-8002/tcp",
    "ARG P=9000",
    "ARG V=arg",
    "VOLUME /data /more/$V",
    'VOLUME ["/v w"]',
    "USER app:$V",
    "USER 1000",
    "WORKDIR /w/$V",
    "WORKDIR rel/../x",
    "WORKDIR /",
    "STOPSIGNAL SIGQUIT",
    "STOPSIGNAL 9",
    "HEALTHCHECK --interval=5s --retries=2 CMD ok  $V",
    'HEALTHCHECK CMD ["ok"]',
    "HEALTHCHECK NONE",
    "ONBUILD ENV later=1",
    "ONBUILD CMD x  y",
    "MAINTAINER A Name",
]
FIELDS = [
    "Cmd",
    "Entrypoint",
    "Env",
    "Labels",
    "ExposedPorts",
    "Volumes",
    "User",
    "WorkingDir",
    "StopSignal",
    "Healthcheck",
    "Shell",
    "OnBuild",
]


def dockerfile(seed: int) -> str:
    """Two stages, the second on the first: `P` is always known, so that every `EXPOSE` can be read."""
    chance = random.Random(seed)
    parts = [chance.choices(POOL, k=chance.randint(1, 9)) for _ in range(2)]
    return "\n".join(["FROM busybox AS one", "ENV P=81 V=v", *parts[0], "FROM one", *parts[1], ""])


def walk(stage: Stage, settings: Settings, scope: Scope) -> tuple[Settings, Scope]:
    triggers = settings.process.on_build or []
    settings = Settings.inherit(settings.process, settings.author)
    scope = Scope(env=settings.env, args=scope.args)
    pending = [*(read_text(f"FROM x\n{text}").stages[0].instructions[0] for text in triggers), *stage.instructions]
    for one in pending:
        if isinstance(one, Arg):
            scope = scope.declare(one)
            continue
        instruction = expand(one, scope.variables).instruction
        scope = scope.define(instruction) if isinstance(instruction, Env) else scope
        settings = settings.apply(instruction)
    return settings, scope


def ours(text: str, base: ProcessConfig) -> dict[str, Any]:
    settings, scope = Settings(base), Scope(env={})
    for stage in read_text(text).stages:
        settings, scope = walk(stage, settings, scope)
    config: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(settings.process))
    return {name: config.get(name) or None for name in FIELDS}


@pytest.mark.parametrize("seed", range(10))
def test_the_same_settings(reference: Reference, seed: int) -> None:
    text = dockerfile(seed)
    done = reference.docker("build", "-q", "-t", "settings", "-", stdin=text.encode())
    assert done.returncode == 0, f"{text}\n{done.stderr.decode()}"
    found = json.loads(reference.out("image", "inspect", "-f", "{{json .Config}}", "settings"))
    base = json.loads(reference.out("image", "inspect", "-f", "{{json .Config}}", "busybox"))
    theirs = {name: found.get(name) or None for name in FIELDS}
    assert ours(text, msgspec.convert(base, ProcessConfig)) == theirs, text
