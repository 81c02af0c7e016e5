"""Volumes: the same command lines to Havre and to the reference."""

from __future__ import annotations

import json

import pytest

from tests.support.engines import Engine, Havre, Reference

pytestmark = [pytest.mark.root, pytest.mark.reference]


def both(havre: Havre, reference: Reference, *words: str) -> tuple[int, str]:
    answers = []
    for engine in (havre, reference):
        done = engine.docker(*words)
        text = (done.stdout + done.stderr).decode().replace(str(engine.data_root), "ROOT")
        answers.append((done.returncode, text))
    assert answers[0] == answers[1]
    return answers[0]


def shown(engine: Engine, container: str) -> list[dict[str, object]]:
    text = engine.out("inspect", "-f", "{{json .Mounts}}", container).replace(str(engine.data_root), "ROOT")
    found: list[dict[str, object]] = json.loads(text)
    return sorted(found, key=lambda mount: str(mount["Destination"]))


def test_command_lines(havre: Havre, reference: Reference) -> None:
    both(havre, reference, "volume", "create", "conf1")
    both(havre, reference, "volume", "create", "conf1")
    both(havre, reference, "volume", "create", "--label", "k=v", "conf2")
    both(havre, reference, "volume", "ls", "--filter", "name=conf")
    both(havre, reference, "volume", "ls", "--filter", "label=k")
    both(havre, reference, "volume", "ls", "--filter", "label=k=w")
    both(havre, reference, "volume", "ls", "--filter", "driver=nope")
    both(havre, reference, "run", "--rm", "-v", "conf1:/d", "busybox", "sh", "-c", "ls -ld /d; echo x > /d/f")
    both(havre, reference, "run", "--rm", "-v", "conf1:/d", "busybox", "cat", "/d/f")
    both(havre, reference, "volume", "rm", "conf1", "conf2")
    assert both(havre, reference, "volume", "rm", "-f", "conf-nope")[0] == 0


@pytest.mark.parametrize(
    "words",
    [
        ("volume", "create", "a"),
        ("volume", "create", "a/b"),
        ("run", "-v", "conf:relative", "busybox"),
        ("run", "-v", "conf:/", "busybox"),
        ("run", "-v", "conf:/a:rshared", "busybox"),
        ("run", "-v", "conf:/a:zz", "busybox"),
        ("run", "-v", "c:/a", "busybox"),
        ("create", "--mount", "type=volume,src=conf,dst=rel", "busybox", "true"),
    ],
)
def test_refusals(havre: Havre, reference: Reference, words: tuple[str, ...]) -> None:
    assert both(havre, reference, *words)[0] != 0


def test_mounts_of_a_container(havre: Havre, reference: Reference) -> None:
    for engine in (havre, reference):
        engine.docker(
            *("create", "--name", "conf-m", "-v", "conf-a:/a", "-v", "conf-b:/b:ro", "-v", "/usr:/t"),
            *("--mount", "type=volume,src=conf-c,dst=/c,readonly,volume-nocopy", "busybox", "true"),
            check=True,
        )
    try:
        assert shown(havre, "conf-m") == shown(reference, "conf-m")
    finally:
        for engine in (havre, reference):
            engine.docker("rm", "-f", "conf-m", check=True)
            engine.docker("volume", "rm", "conf-a", "conf-b", "conf-c", check=True)


@pytest.mark.parametrize(
    "options",
    [("type=ext4", "device=/none"), ("type=none", "device=/none", "o=bind"), ("type=tmpfs", "device=tmpfs", "o=no=1")],
)
def test_what_cannot_be_mounted(havre: Havre, reference: Reference, options: tuple[str, ...]) -> None:
    words = [word for option in options for word in ("-o", option)]
    both(havre, reference, "volume", "create", *words, "unmountable")
    _, text = both(havre, reference, "run", "--rm", "-v", "unmountable:/v", "busybox", "true")
    assert "failed to mount local volume" in text
    both(havre, reference, "volume", "rm", "unmountable")
